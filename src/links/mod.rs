//! Short links: addresses that a campaign's messages lead to, by a link of its own for each recipient.
//!
//! Invariants:
//! - A link says which address and which recipient, enciphered under the master key (`token`): no row
//!   is written for a recipient, and links cannot be made, guessed or walked through by others.
//! - A link leads to an address that was checked when its campaign was written (`target`), never to
//!   one that a request names.
//! - Following a link changes nothing.
//!
//! `shorten` (the links of a campaign), `follow` (where one leads).

mod follow;
mod shorten;
mod target;
mod token;

pub use follow::Links;
pub use shorten::Shortener;
pub use target::{URL_CHARS_MAX, is_target};
pub use token::TOKEN_CHARS;
