//! Batched reads behind the fields of contacts.

use std::collections::HashMap;

use entity::ids::{ContactId, ListId};
use entity::{contact, contact_list, suppression};

use crate::contacts::{self, AttributeValue, consent};
use crate::ctx::Ctx;
use crate::graphql::errors::Answer;
use crate::graphql::loaders::Key;
use crate::types::phone::PhoneNumber;

/// A contact's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContactRow(pub ContactId);

impl Key for ContactRow {
    type Value = contact::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = contacts::by_ids(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// A contact by the keyed hash of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContactByMac(pub [u8; 32]);

impl Key for ContactByMac {
    type Value = contact::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let macs: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = contacts::by_macs(&ctx, &macs).await?;
        let keyed =
            |row: contact::Model| Some((Self(row.number_mac.as_slice().try_into().ok()?), row));
        Ok(found.into_iter().filter_map(keyed).collect())
    }
}

/// A contact by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContactByNumber(pub PhoneNumber);

impl Key for ContactByNumber {
    type Value = contact::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let numbers: Vec<_> = keys.iter().map(|key| key.0.e164()).collect();
        let found = contacts::by_numbers(&ctx, &numbers).await?;
        let keyed =
            |row: contact::Model| Some((Self(PhoneNumber::restore(&row.number).ok()?), row));
        Ok(found.into_iter().filter_map(keyed).collect())
    }
}

/// The suppressions of a number, by its keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContactSuppressions(pub [u8; 32]);

impl Key for ContactSuppressions {
    type Value = Vec<suppression::Model>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let macs: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<Self, Self::Value> = HashMap::new();
        for row in consent::suppressions_by_macs(&ctx, &macs).await? {
            let Ok(mac) = row.number_mac.as_slice().try_into() else { continue };
            found.entry(Self(mac)).or_default().push(row);
        }
        for rows in found.values_mut() {
            rows.sort_by(|one, other| {
                (one.scope, &one.scope_value).cmp(&(other.scope, &other.scope_value))
            });
        }
        Ok(found)
    }
}

/// The tags of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContactTags(pub ContactId);

impl Key for ContactTags {
    type Value = Vec<String>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = contacts::tags_of(&ctx, &ids).await?;
        Ok(found.into_iter().map(|(id, tags)| (Self(id), tags)).collect())
    }
}

/// What is known of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContactValues(pub ContactId);

impl Key for ContactValues {
    type Value = Vec<(String, AttributeValue)>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = contacts::values_of(&ctx, &ids).await?;
        Ok(found.into_iter().map(|(id, values)| (Self(id), values)).collect())
    }
}

/// The lists that a contact is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContactLists(pub ContactId);

impl Key for ContactLists {
    type Value = Vec<contact_list::Model>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = contacts::lists_of_contacts(&ctx, &ids).await?;
        Ok(found.into_iter().map(|(id, lists)| (Self(id), lists)).collect())
    }
}

/// A list's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListRow(pub ListId);

impl Key for ListRow {
    type Value = contact_list::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = contacts::lists_by_ids(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}
