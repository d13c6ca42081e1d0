//! Statements on contacts that more than one file of this domain uses.

use std::collections::BTreeSet;

use entity::ids::{AccountId, AttributeId, ContactId};
use entity::{account, contact};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QuerySelect};

use super::model::AttributeValue;
use crate::db::{Bulk, BulkColumn, BulkType, Db, Tx};
use crate::keys::{MasterKey, Purpose};
use crate::types::phone::{PhoneNumber, Region};

/// The keyed hash by which suppressions and consent know a number of an account. Two accounts have
/// different ones for the same number.
pub(super) fn number_mac(key: &MasterKey, account_id: AccountId, e164: &str) -> [u8; 32] {
    let mut text = Vec::with_capacity(16 + e164.len());
    text.extend_from_slice(account_id.0.as_bytes());
    text.extend_from_slice(e164.as_bytes());
    key.hash(Purpose::ContactNumber, &text)
}

/// The country of a number, two letters or empty.
pub(super) fn country(number: &PhoneNumber) -> String {
    number.region().map(|region| region.as_str().to_owned()).unwrap_or_default()
}

/// The region that national numbers of an account are read in.
pub(super) async fn default_region<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
) -> Result<Option<Region>, DbErr> {
    let account = account::Entity::find_by_id(account_id).one(connection).await?;
    Ok(account.and_then(|account| account.default_region).and_then(|text| text.parse().ok()))
}

/// A number as people write it: E.164, national with the account's default region, or a test number.
pub(super) fn parse_number(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    PhoneNumber::parse_test(text).or_else(|_| PhoneNumber::parse(text, region)).ok()
}

/// Numbers as people write them in E.164, in their order; what is none stays as it was written.
///
/// # Errors
/// The store's own.
pub async fn e164(
    db: &Db,
    account_id: AccountId,
    numbers: Vec<String>,
) -> Result<Vec<String>, DbErr> {
    let region = default_region(db.reader(), account_id).await?;
    let e164 = |text: String| match parse_number(&text, region) {
        Some(number) => number.e164().to_owned(),
        None => text,
    };
    Ok(numbers.into_iter().map(e164).collect())
}

/// A contact, locked until the transaction ends.
pub(super) async fn locked(
    tx: &Tx,
    account_id: AccountId,
    id: ContactId,
) -> Result<Option<contact::Model>, DbErr> {
    contact::Entity::find_by_id((account_id, id)).lock_exclusive().one(&**tx).await
}

const VALUE_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("contact_id", BulkType::Uuid),
    BulkColumn::new("attribute_id", BulkType::Uuid),
    BulkColumn::nullable("text_value", BulkType::Text),
    BulkColumn::nullable("number_value", BulkType::BigInt),
];

/// A value of a contact.
pub(super) type ContactValue = (ContactId, AttributeId, AttributeValue);

/// Writes values over those that are there, in one statement.
pub(super) async fn put_values(
    tx: &Tx,
    account_id: AccountId,
    values: &[ContactValue],
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(VALUE_COLUMNS);
    for (contact_id, attribute_id, value) in values {
        let (text, number) = value.columns();
        rows.push([contact_id.0.into(), attribute_id.0.into(), text.into(), number.into()]);
    }
    rows.execute(
        tx,
        "INSERT INTO contact_value (account_id, contact_id, attribute_id, text_value, \
         number_value) SELECT {1}, contact_id, attribute_id, text_value, number_value FROM rows \
         WHERE true ON CONFLICT (account_id, contact_id, attribute_id) DO UPDATE \
         SET text_value = excluded.text_value, number_value = excluded.number_value",
        vec![account_id.0.into()],
    )
    .await?;
    Ok(())
}

const TAG_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("contact_id", BulkType::Uuid), BulkColumn::new("tag", BulkType::Text)];

/// Adds tags to those that are there, in one statement.
pub(super) async fn add_tags(
    tx: &Tx,
    account_id: AccountId,
    contact_id: ContactId,
    tags: &BTreeSet<String>,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(TAG_COLUMNS);
    for tag in tags {
        rows.push([contact_id.0.into(), tag.clone().into()]);
    }
    rows.execute(
        tx,
        "INSERT INTO contact_tag (account_id, contact_id, tag) \
         SELECT {1}, contact_id, tag FROM rows WHERE true ON CONFLICT DO NOTHING",
        vec![account_id.0.into()],
    )
    .await?;
    Ok(())
}
