//! Short links: addresses that a campaign's messages lead to, by a link of its own for each recipient.
//!
//! Invariants:
//! - A link says which address and which recipient, enciphered under the master key (`token`): no row
//!   is written for a recipient, and links cannot be made, guessed or walked through by others.
//! - A link leads to an address that was checked when its campaign was written (`target`), never to
//!   one that a request names.
//! - Following a link waits for nothing that is kept of it, and nothing is kept of who follows it but
//!   the family of its agent (`visitor`).
//! - A click of a person is counted once: its row, the sums of its link and its event are one
//!   transaction.
//!
//! `shorten` (the links of a campaign), `follow` (where one leads), `clicks` (what is noted of that),
//! `kept_clicks` (what is kept and counted), `domains` (hosts of accounts' own), `hosts` (whose a host
//! is).

mod clicks;
/// Hosts of accounts' own.
pub mod domains;
mod follow;
mod hosts;
mod kept_clicks;
mod shorten;
mod target;
mod token;
mod visitor;

pub use clicks::{ClickWriter, WAITING_MAX};
pub use follow::Links;
pub use kept_clicks::{CLICKS_MAX, purge};
pub use shorten::Shortener;
pub use target::{URL_CHARS_MAX, is_target};
pub use token::TOKEN_CHARS;
