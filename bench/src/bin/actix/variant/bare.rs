//! actix-web without sessions: the answers have the form that the other variants' answers have.

use actix_web::web::{self, ServiceConfig};
use cloakroom_load::session::FIRST;
use cloakroom_load::untouched;
use std::hint::black_box;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("")
            .route("/untouched", web::get().to(untouched))
            .route("/read", web::get().to(read))
            .route("/change", web::post().to(change))
            .route("/create", web::post().to(untouched))
            .route("/fill", web::post().to(untouched))
            .route("/fill-large", web::post().to(untouched)),
    );
}

async fn read() -> String {
    black_box(FIRST).to_string()
}

async fn change() -> String {
    (black_box(FIRST) + 1).to_string()
}
