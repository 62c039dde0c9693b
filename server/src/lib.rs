//! The `holdfast` server: takes items over WebSockets, makes them durable, turns them into
//! recordings and shows them. Everything that decides is in `protocol`, `ledger` and `media`;
//! this crate does the IO.

pub mod backup;
pub mod cli;
pub mod committer;
pub mod config;
pub mod delete;
pub mod log;
pub mod metrics;
pub mod store;
pub mod tools;

mod api;
mod assets;
mod clock;
mod dto;
mod error;
mod events;
mod export;
mod folder;
mod janitor;
mod leases;
mod listen;
mod pages;
mod quotas;
mod recording;
mod render;
mod routes;
mod scrape;
mod serve;
mod socket;
mod state;
mod supervise;
#[cfg(test)]
mod testing;
mod timeouts;
mod worker;
mod writer;
mod writers;

pub use folder::keep_to_ourselves;
pub use serve::Server;
