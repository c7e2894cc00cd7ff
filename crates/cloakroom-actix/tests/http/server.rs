//! A real server, and a client that shows what is on the wire and follows redirects as browsers do.

use std::time::Duration;

use actix_web::{App, HttpServer, web::ServiceConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) struct Server {
    /// Host and port.
    pub(crate) host: String,
}

impl Server {
    pub(crate) fn of(configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> Self {
        Self::with_workers(1, configure)
    }

    pub(crate) fn with_workers(
        workers: usize,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let app = move || {
            App::new()
                .configure(configure.clone())
                .wrap(crate::around())
        };
        let server = HttpServer::new(app)
            .workers(workers)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let host = server.addrs()[0].to_string();
        actix_web::rt::spawn(server.run());
        Self { host }
    }

    /// Sends a request with nothing but what is given, and a host. Where the headers do not say how
    /// long the body is, that is said too.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut socket = self.begin(method, target, headers, body).await;
        let mut bytes = Vec::new();
        let read = socket.read_to_end(&mut bytes);
        let read = tokio::time::timeout(Duration::from_secs(20), read).await;
        read.expect("an answer").unwrap();
        Answer::parse(&String::from_utf8(bytes).unwrap())
    }

    /// Sends a request and leaves the answer to the caller.
    pub(crate) async fn begin(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let says_length = ["Content-Length", "Transfer-Encoding"];
        if !headers.iter().any(|(name, _)| says_length.contains(name)) {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("Connection: close\r\n\r\n");
        text.push_str(body);
        let mut socket = TcpStream::connect(&self.host).await.unwrap();
        socket.write_all(text.as_bytes()).await.unwrap();
        socket
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    /// Follows redirects, at most five.
    pub(crate) async fn follow(&self, target: &str) -> (String, Answer) {
        let mut target = target.to_owned();
        for _ in 0..5 {
            let answer = self.get(&target).await;
            match answer.one("location") {
                Some(location) => target = location.to_owned(),
                None => return (target, answer),
            }
        }
        panic!("redirected for ever: {target}")
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| line.split_once(':').unwrap());
        Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            text: body.to_owned(),
        }
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.headers.iter().filter(|(other, _)| other == name);
        headers.map(|(_, value)| &**value).collect()
    }

    /// The value of a header that is there once at most.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() < 2, "{name}: {values:?}");
        values.first().copied()
    }

    /// The cookie as a browser sends it back.
    pub(crate) fn cookie(&self) -> &str {
        let cookie = self.one("set-cookie").expect("a cookie");
        cookie.split(';').next().unwrap()
    }
}
