//! The one module that reads and writes message text.
//!
//! A text is stored once for all messages of one call that share it. It never goes into the event
//! log, a span or an error.

use std::collections::HashMap;

use entity::ids::{AccountId, TextId};
use entity::message_text;
use entity::time::UnixMillis;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use crate::db::{Bulk, BulkColumn, BulkType, Tx};

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("body", BulkType::Bytes),
    BulkColumn::new("created_at_ms", BulkType::BigInt),
];

/// Stores texts of an account.
pub(super) async fn insert(
    tx: &Tx,
    account_id: AccountId,
    texts: &[(TextId, &str)],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(COLUMNS);
    for (id, text) in texts {
        rows.push([
            account_id.0.into(),
            id.0.into(),
            text.as_bytes().to_vec().into(),
            now.0.into(),
        ]);
    }
    rows.execute(
        tx,
        "INSERT INTO message_text (account_id, id, body, created_at_ms) \
         SELECT account_id, id, body, created_at_ms FROM rows",
        Vec::new(),
    )
    .await?;
    Ok(())
}

const KEY_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("id", BulkType::Uuid)];

/// Reads texts of many accounts, for dispatch. Those that are gone are missing in the answer.
pub(super) async fn read_for_dispatch(
    tx: &Tx,
    keys: impl Iterator<Item = (AccountId, TextId)>,
) -> Result<HashMap<TextId, String>, DbErr> {
    let mut rows = Bulk::new(KEY_COLUMNS);
    for (account_id, id) in keys {
        rows.push([account_id.0.into(), id.0.into()]);
    }
    let found = rows
        .query(
            tx,
            "SELECT t.id, t.body FROM rows CROSS JOIN message_text t \
             WHERE t.account_id = rows.account_id AND t.id = rows.id",
            Vec::new(),
        )
        .await?;
    let mut texts = HashMap::with_capacity(found.len());
    for row in found {
        texts.insert(row.try_get("", "id")?, into_text(row.try_get("", "body")?)?);
    }
    Ok(texts)
}

/// Reads texts of one account, for its people. Those that are gone are missing in the answer.
pub(super) async fn read<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    ids: &[TextId],
) -> Result<HashMap<TextId, String>, DbErr> {
    let found = message_text::Entity::find()
        .filter(message_text::Column::AccountId.eq(account_id))
        .filter(message_text::Column::Id.is_in(ids.iter().copied()))
        .all(connection)
        .await?;
    found.into_iter().map(|row| Ok((row.id, into_text(row.body)?))).collect()
}

fn into_text(body: Vec<u8>) -> Result<String, DbErr> {
    // The error must not carry the content along.
    String::from_utf8(body).map_err(|_| DbErr::Type("message_text.body is not UTF-8".to_owned()))
}
