//! Contacts by the million on a list, written straight into a store.

use std::path::Path;

use entity::ids::{AccountId, ListId};
use heliograph::config::DatabaseUrl;
use heliograph::db::{Bulk, BulkColumn, BulkType, Db};
use heliograph::keys::{MasterKey, Purpose};
use heliograph::sys::Randomness;
use sea_orm::DbErr;
use uuid::Uuid;

/// Rows of one transaction.
const BATCH: u64 = 10_000;
/// How old the contacts are: a campaign is for those that were there when it started.
const AGE_MS: u64 = 3_600_000;

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("number", BulkType::Text),
    BulkColumn::new("number_mac", BulkType::Bytes),
];

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// Where the master key is.
    pub directory: &'a Path,
    /// Whose contacts.
    pub account_id: AccountId,
    /// On which list.
    pub list_id: ListId,
    /// How many.
    pub contacts: u64,
}

/// Writes them. Nobody else may use a store on SQLite meanwhile.
///
/// # Panics
/// If the store does not take them.
pub async fn write(url: &DatabaseUrl, audience: Audience<'_>) {
    let key = MasterKey::in_directory(audience.directory, &Randomness::seeded(1));
    let key = key.expect("the server has made the master key");
    let db = Db::open(url, 4).await.expect("opens the store");
    let ms = super::drive::unix_us() / 1_000 - AGE_MS;
    let account = audience.account_id;
    for from in (0..audience.contacts).step_by(BATCH as usize) {
        let numbers: Vec<u64> = (from..audience.contacts.min(from + BATCH)).collect();
        let (key, numbers) = (&key, &numbers);
        let rows = || {
            let mut rows = Bulk::new(COLUMNS);
            for n in numbers {
                let number = format!("+49151{n:08}");
                let mac = [account.0.as_bytes(), number.as_bytes()].concat();
                let mac = key.hash(Purpose::ContactNumber, &mac).to_vec();
                let id = Uuid::from_u64_pair(ms << 16 | 0x7000, 1 << 63 | n);
                rows.push([id.into(), number.into(), mac.into()]);
            }
            rows
        };
        db.write(|tx| async move {
            rows()
                .execute(
                    &tx,
                    "INSERT INTO contact (account_id, id, number, number_mac, country, version, \
                     created_at_ms, updated_at_ms) SELECT {1}, id, number, number_mac, 'DE', 1, \
                     0, 0 FROM rows",
                    vec![account.0.into()],
                )
                .await?;
            rows()
                .execute(
                    &tx,
                    "INSERT INTO list_member (account_id, list_id, contact_id, added_at_ms) \
                     SELECT {1}, {2}, id, 0 FROM rows",
                    vec![account.0.into(), audience.list_id.0.into()],
                )
                .await?;
            Ok::<_, DbErr>(())
        })
        .await
        .expect("the store takes the contacts");
    }
    db.close().await.expect("closes the store");
}
