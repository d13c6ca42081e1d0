//! Heliograph: a self-hosted, multi-tenant SMS platform.
//!
//! The modules in reading order, base first. Imports point only upward in this list; the
//! architecture test reads the `use crate::` lines and fails on a breach.

// The roots of the contract are merged of many parts, each a level deeper than the one before.
#![recursion_limit = "256"]

/// The transport-neutral error.
pub mod error;
/// Phone numbers, SMS text, paging, secrets: pure types that parse on construction.
pub mod types;
/// Clock, randomness and id generation; the only sources of time and chance.
pub mod sys;
/// The master key: keyed hashes and seals.
pub mod keys;
/// Typed settings.
pub mod config;
/// E-mail over SMTP.
pub mod mail;
/// Logs, traces, metrics.
pub mod telemetry;
/// The store: pools, transactions, bulk statements.
pub mod db;
/// The event log and the doorbell.
pub mod events;
/// Who is asking, and what they may do.
pub mod authz;
/// The context of a call.
pub mod ctx;
/// Periodic work, done by one node at a time.
pub mod jobs;
/// The `Carrier` trait and its implementations: SMPP 3.4, in-process simulator.
pub mod carriers;
/// Routes: which carrier serves which numbers.
pub mod routing;
/// Senders: what messages are sent from.
pub mod senders;
/// Accounts, people, log-ins, tokens, API keys.
pub mod identity;
/// Contacts: whom accounts write to, and what these consented to.
pub mod contacts;
/// Short links of campaigns.
pub mod links;
/// Money: wallets, the ledger, prices.
pub mod billing;
/// Messages: from acceptance to a truthful final status.
pub mod messages;
/// Payments through processors: what their webhooks prove.
pub mod payments;
/// Roll-ups: what charts are drawn from.
pub mod rollups;
/// Campaigns: one text to an audience.
pub mod campaigns;
/// The GraphQL contract.
pub mod graphql;
/// The HTTP edge: GraphQL over HTTP, SSE and WebSocket, health, the explorer.
pub mod http;
/// The composition root: settings become running parts.
pub mod app;
/// The command line.
pub mod cli;
