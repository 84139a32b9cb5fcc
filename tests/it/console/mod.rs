//! The console's pages, through the real router.

mod enterprise;
mod members;
mod overview;
mod visitor;
