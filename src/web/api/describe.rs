//! The parts of the API's description that handlers share.

use std::collections::BTreeMap;

use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoResponses, ToSchema};

/// A page of a list.
#[derive(ToSchema)]
pub struct List<T> {
    #[expect(dead_code, reason = "the pages themselves are made by `page::answer`")]
    items: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required)]
    #[expect(dead_code, reason = "the pages themselves are made by `page::answer`")]
    next_cursor: Option<String>,
}

/// The refusal of what only operators may do.
pub struct OperatorOnly;

impl IntoResponses for OperatorOnly {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([("403".to_owned(), Response::new("operator_only, policy_denied").into())])
    }
}
