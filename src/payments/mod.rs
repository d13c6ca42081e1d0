//! Payments through processors: what their webhooks prove. Pure: no store, no network, no clock.
//!
//! A webhook's bytes are a [`RawBody`](raw_body::RawBody). [`receive`](processor::receive) consumes
//! it: its signature is checked over the raw bytes, then it is projected to [`facts`], a closed set
//! of ids, amounts, currencies, choices and times. Nothing else of it is kept, shown or logged.
//!
//! What holds:
//!
//! - Nothing is parsed before its signature was found good.
//! - No free text leaves the projection, and no id that reads as a card number.
//! - Facts merge in any order and any number of times to the same result, so neither the order of
//!   webhooks nor their repetition matters; the status is computed from the merged facts.
//! - What came unsigned, or with a token that never changes, is a hint: the processor is asked
//!   before anything is credited.

pub mod facts;
pub mod mpesa;
pub mod paymongo;
pub mod paystack;
pub mod processor;
pub mod raw_body;
pub mod stripe;
pub mod xendit;

mod document;
mod signature;
