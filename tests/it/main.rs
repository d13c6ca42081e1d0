//! The one integration test binary: a module a feature.
#![cfg(test)]

mod support;

/// The load program's parts.
#[path = "../../benches/load/kit.rs"]
#[expect(dead_code, reason = "the crash test takes one scenario of several")]
#[expect(clippy::disallowed_methods, reason = "processes live by the real time")]
mod kit;

mod app;
mod architecture;
mod authorization;
mod billing;
mod campaigns;
mod carrier_conformance;
mod carriers_admin;
mod cli;
mod clicks;
mod contacts;
mod crash;
mod demo;
mod graphql_api;
mod harness;
mod http_clients;
mod http_event_stream;
mod http_limits;
mod http_post;
mod http_rates;
mod http_routes;
mod http_socket;
mod http_support;
mod http_websocket;
mod identity;
mod imports;
mod invoices;
mod jobs;
mod keywords;
mod link_domains;
mod links;
mod messages;
mod messages_api;
mod official_clients;
mod operations;
mod opt_out;
mod packages;
mod preferences;
mod quiet_hours;
mod row_security;
mod payment_flows;
mod payments;
mod rollups;
mod schema;
mod senders;
mod smpp_client;
mod smsc;
mod third_party_node;
mod third_party_python;
mod third_party_smpp;
