//! The SMPP client over real TCP, against a carrier that does what each test says.

mod asking;
mod client;
mod deliveries;
mod links;
mod server;
mod submitting;
