//! Payment processors' webhooks: what is taken, what is refused, what is read of them, and that no
//! card data comes through. All of it is pure, so nothing here runs on a store.

mod card_data;
mod corpus;
mod signer;
mod stripe_crate;
mod stripe_signature;
mod vectors;
