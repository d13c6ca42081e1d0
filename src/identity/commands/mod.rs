//! Writes of identity, a file a group. Public through `identity` alone.

pub(super) mod accounts;
pub(super) mod api_keys;
pub(super) mod log_in;
pub(super) mod operator;
pub(super) mod people;
pub(super) mod sessions;
pub(super) mod sign_up;
pub(super) mod standing;
