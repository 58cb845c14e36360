//! What browsers need that ask from pages of other origins (the Fetch standard's CORS protocol).
//! Who asks says so in `Authorization`; there are no cookies, so none are allowed.

use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::config::Origin;
use super::endpoint::{LIMIT, REMAINING, REQUEST_ID};
use super::once::{self, REPLAYED};

/// How long a browser may remember what it was allowed.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// None where no page may ask.
pub(super) fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    let origins: Vec<_> = origins.iter().filter_map(Origin::header).collect();
    if origins.is_empty() {
        return None;
    }
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    let asked: [HeaderName; 8] = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::RANGE,
        once::NAME,
        REQUEST_ID,
    ];
    let answered: [HeaderName; 9] = [
        header::ACCEPT_RANGES,
        header::CONTENT_RANGE,
        header::ETAG,
        header::LOCATION,
        header::RETRY_AFTER,
        REPLAYED,
        REQUEST_ID,
        LIMIT,
        REMAINING,
    ];
    let layer = CorsLayer::new().allow_origin(AllowOrigin::list(origins));
    let layer = layer.allow_methods(methods).allow_headers(asked).expose_headers(answered);
    Some(layer.max_age(REMEMBERED))
}
