//! What a recorder makes of what happens to it, without a browser.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]

mod companions;
mod ending;
mod leaving;
mod page;
mod replacing;
mod starting;
mod taking_up;
mod watching;
