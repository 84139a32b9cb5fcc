//! The form parameters of a token request.

use std::collections::HashMap;

use super::error::IdpTokenError;

/// Parameters by name, each sent at most once.
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// RFC 6749 section 3.2: no parameter twice, and one without a value counts as omitted.
    pub(super) fn new(pairs: Vec<(String, String)>) -> Result<Self, IdpTokenError> {
        let mut parameters = HashMap::new();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            if parameters.insert(name, value).is_some() {
                return Err(IdpTokenError::InvalidRequest("a parameter is repeated"));
            }
        }
        Ok(Self(parameters))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a required parameter, or `missing` as the error description.
    pub(super) fn require(&self, name: &str, missing: &'static str) -> Result<&str, IdpTokenError> {
        self.get(name).ok_or(IdpTokenError::InvalidRequest(missing))
    }
}
