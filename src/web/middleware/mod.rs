//! The middleware around every public request, one file for each job. `web::router` puts them in order.

mod access_log;
mod around;
mod caller_address;
mod hsts;
mod origin;
mod rate_limit;
mod request_id;
mod slow_body;
mod time_out;

pub use access_log::AccessLog;
pub use around::{Around, AroundLayer};
pub use caller_address::{CallerAddress, FindCaller};
pub use hsts::Hsts;
pub use origin::origin;
pub use rate_limit::RateLimit;
pub use request_id::{NameRequests, RequestId};
pub use slow_body::RefuseSlowBodies;
pub use time_out::TimeOutLayer;
