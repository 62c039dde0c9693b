//! The pages, one module each. Every page component is a whole document.

pub mod api_docs;
pub mod error;
pub mod history;
pub mod jobs;
pub mod record;
pub mod session;
