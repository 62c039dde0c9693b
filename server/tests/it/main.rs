//! The server as its clients see it: real sockets, a real database, one folder a test.

mod api;
mod bad_input;
mod harness;
mod lifecycle;
mod pages;
mod recording;
