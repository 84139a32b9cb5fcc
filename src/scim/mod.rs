//! SCIM 2.0 (RFC 7643, RFC 7644) without input and output: users as identity providers send them, filters, and patches.

mod document;
mod fault;
mod filter;
mod patch;
mod path;

pub use document::UserDocument;
pub use fault::ScimFault;
pub use filter::UserFilter;
pub use patch::UserPatch;
pub use path::AttributePath;
