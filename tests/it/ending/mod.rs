//! What ends sessions, and how soon: each way is taken in one process, and measured in another one on the same database.

mod after;
mod kill_switch;
mod memory;
mod pair;
mod ways;
