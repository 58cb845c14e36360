//! What goes in and comes out: how it is read and written, and how the documentation tells of it.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;

use super::config::Config;
use super::problem::Problem;
use super::reply::{Nothing, Seen};

/// Something that is read from a request.
pub(super) trait Shape: DeserializeOwned + JsonSchema + Send + 'static {}
impl<T: DeserializeOwned + JsonSchema + Send + 'static> Shape for T {}

/// A request's body.
pub(super) trait Content: Sized + Send + 'static {
    /// None where nothing is sent.
    fn describe(generator: &mut SchemaGenerator) -> Option<Media>;

    /// Bytes that it may have; none where nothing is read.
    fn most(config: &Config) -> Option<usize>;

    /// # Errors
    /// It is not what was expected.
    fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Problem>;
}

/// What comes back when all went well.
pub(super) trait Answer: Send + 'static {
    /// Whether it holds what nobody is shown again.
    const SECRET: bool = false;

    fn describe(generator: &mut SchemaGenerator) -> Vec<Good>;

    /// # Errors
    /// It can't be written.
    fn respond(self, seen: &Seen) -> Result<Response, Problem>;
}

/// Content of one of some kinds.
pub(super) struct Media {
    pub(super) kinds: &'static [&'static str],
    pub(super) schema: Schema,
}

impl Media {
    pub(super) const fn json(schema: Schema) -> Self {
        Self { kinds: &["application/json"], schema }
    }
}

/// A file.
pub(super) fn binary() -> Schema {
    json_schema!({ "type": "string", "format": "binary" })
}

/// An answer that is no problem.
pub(super) struct Good {
    pub(super) status: u16,
    pub(super) about: &'static str,
    pub(super) media: Option<Media>,
    pub(super) headers: &'static [&'static str],
}

impl Good {
    pub(super) const fn empty(status: u16, about: &'static str) -> Self {
        Self { status, about, media: None, headers: &[] }
    }
}

/// What an endpoint takes and gives.
pub(super) struct Described {
    pub(super) path: Schema,
    pub(super) query: Option<Schema>,
    pub(super) body: Option<Media>,
    pub(super) answers: Vec<Good>,
}

impl Described {
    pub(super) fn of<P: Shape, Q: Shape, B: Content, A: Answer>(
        generator: &mut SchemaGenerator,
    ) -> Self {
        Self {
            path: P::json_schema(generator),
            query: (!is_nothing::<Q>()).then(|| Q::json_schema(generator)),
            body: B::describe(generator),
            answers: A::describe(generator),
        }
    }
}

pub(super) fn is_nothing<T: 'static>() -> bool {
    std::any::TypeId::of::<T>() == std::any::TypeId::of::<Nothing>()
}

impl<T: Shape> Content for T {
    fn describe(generator: &mut SchemaGenerator) -> Option<Media> {
        (!is_nothing::<T>()).then(|| Media::json(generator.subschema_for::<T>()))
    }

    fn most(config: &Config) -> Option<usize> {
        (!is_nothing::<T>()).then_some(config.body)
    }

    fn read(_: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        if is_nothing::<T>() { read(b"{}") } else { read(&body) }
    }
}

pub(super) fn read<T: Shape>(json: &[u8]) -> Result<T, Problem> {
    // serde would take an array for an object's values, in their order.
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::invalid("an object is expected, not an array"));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.inner();
        if inner.is_data() {
            return Problem::invalid(inner.to_string()).at(field);
        }
        let detail = format!("the body is not JSON: {inner}");
        Problem::new(StatusCode::BAD_REQUEST, "not_json", detail)
    })
}
