//! Tables as Rust: one SeaORM entity a table, the typed ids and the stored enums.
//!
//! No logic, no clocks, no GraphQL, and nothing of ours is imported here. The statements that
//! make the tables stand in the `migration` crate; what a column means is said here.

pub mod enums;
pub mod ids;
pub mod time;

pub mod account;
pub mod account_tax_rate;
pub mod api_key;
pub mod billing_account;
pub mod billing_profile;
pub mod billing_tax_id;
pub mod carrier;
pub mod carrier_lease;
pub mod event;
pub mod event_counter;
pub mod idempotency;
pub mod inbound_message;
pub mod inbound_part;
pub mod installation;
pub mod invoice;
pub mod invoice_allocation;
pub mod invoice_counter;
pub mod invoice_line;
pub mod invoice_run;
pub mod invoice_tax;
pub mod job_lease;
pub mod ledger_book;
pub mod ledger_entry;
pub mod ledger_transfer;
pub mod login_throttle;
pub mod membership;
pub mod message;
pub mod message_text;
pub mod one_time_link;
pub mod parked_receipt;
pub mod payment;
pub mod payment_object;
pub mod payout;
pub mod person;
pub mod plan;
pub mod processor_endpoint;
pub mod rate;
pub mod rate_card;
pub mod refresh_token;
pub mod rollup;
pub mod rollup_cursor;
pub mod route;
pub mod sender;
pub mod session;
pub mod signing_key;
pub mod submission;
pub mod subscription;
pub mod tax_rate;
pub mod usage_day;
pub mod voucher;
pub mod voucher_batch;
pub mod voucher_throttle;
pub mod wallet;
pub mod webhook_event;
