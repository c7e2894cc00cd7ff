//! Transports besides the cookie, over a socket: what a client sends and gets byte by byte.

mod bearer;
mod pesto;
