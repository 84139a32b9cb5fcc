//! A digest of a table's contents, which must be the same in both databases.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::rows::CopiedRow;

/// Marks NULL in place of a text's length: no text is this long.
const NULL: u64 = u64::MAX;

/// The number of rows, and SHA-256 over them in the order of their keys. A value is hashed as its length in bytes (64
/// bits, highest byte first) followed by its UTF-8, so that two different tables never give the same bytes. Numbers
/// are decimal, and booleans 0 and 1.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Digest {
    /// The number of rows in the table.
    pub rows: u64,
    /// The digest in lower-case hexadecimal, 64 digits.
    pub sha256: String,
}

/// A digest that is being made.
pub(in crate::store) struct Digester {
    context: Context,
    pub(super) rows: u64,
}

impl Digester {
    pub(in crate::store) fn new() -> Self {
        Self { context: Context::new(&SHA256), rows: 0 }
    }

    pub(in crate::store) fn add(&mut self, row: &CopiedRow) {
        for value in row {
            let length = value.as_ref().map_or(NULL, |text| text.len() as u64);
            self.context.update(&length.to_be_bytes());
            self.context.update(value.as_deref().unwrap_or_default().as_bytes());
        }
        self.rows += 1;
    }

    pub(in crate::store) fn finish(self) -> Digest {
        Digest { rows: self.rows, sha256: URL_SAFE_NO_PAD.encode(self.context.finish()) }
    }
}
