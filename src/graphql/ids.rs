//! `ID` and the typed ids.

use std::fmt::Display;
use std::str::FromStr;

use async_graphql::ID;
use entity::ids::InvalidId;

use super::errors::Answer;
use crate::error::Failed;

/// The typed id in `id`.
///
/// # Errors
/// `INVALID_ID` for another prefix or form. Whether such an object exists is not asked here.
pub fn parse_id<Id: FromStr<Err = InvalidId>>(id: &ID) -> Answer<Id> {
    id.parse().map_err(|invalid| Failed::InvalidId(invalid).into())
}

/// As the contract shows it.
pub fn show_id(id: impl Display) -> ID {
    ID(id.to_string())
}
