//! Vouchers: codes that are worth an amount, once.
//!
//! - They are made in batches of one amount, currency and expiry. The codes are shown to their maker
//!   once; kept is a keyed hash of each.
//! - The row of a voucher is redeemed by one conditional update, in the transaction that posts the
//!   amount from the book of promotions to the customer's: whoever comes second changes nothing.
//! - An account that sends wrong codes waits longer and longer (`throttle`).

mod code;
mod commands;
mod queries;
mod redeem;
mod throttle;

pub use code::{InvalidVoucherCode, VoucherCode};
pub use commands::{CreateVouchersRejection, NewVouchers, VouchersMade, create};
pub use queries::{Batch, count, find, page};
pub use redeem::{RedeemRejection, Redeemed, redeem};

/// Vouchers of one batch: what one answer holds, some 30 KiB.
pub const BATCH_MAX: usize = 1_000;
