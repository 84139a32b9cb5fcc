//! Members of a merge patch (RFC 7396), for serde.

use serde::{Deserialize, Deserializer};

/// For a member that cannot be cleared: absent leaves it, `null` is an error.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// For a member that can be cleared: absent leaves it, `null` clears it.
pub fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
