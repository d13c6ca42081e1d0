//! Opening the store: the directory, the lock, the schema, the master key. What a server and the
//! command line beside it do in the same way.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use entity::installation;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use subtle::ConstantTimeEq;

use super::{AppParts, StartError};
use crate::config::{DatabaseUrl, Settings};
use crate::ctx::Platform;
use crate::db::Db;
use crate::events::Doorbell;
use crate::keys::{MasterKey, Purpose};
use crate::sys::IdGenerator;

/// The installation's row.
const ROW_ID: i16 = 1;

/// Opens the store that `settings` name, making and migrating it where needed.
///
/// # Errors
/// [`StartError`], all but the variants about addresses and locks.
pub(super) async fn open(settings: Settings, parts: AppParts) -> Result<Arc<Platform>, StartError> {
    let AppParts { clock, randomness } = parts;
    let data_dir = &settings.store.data_dir;
    make_private_directory(data_dir)
        .map_err(|source| StartError::DataDir { path: data_dir.clone(), source })?;
    let master_key = if settings.store.master_key.is_empty() {
        MasterKey::in_directory(data_dir, &randomness)
    } else {
        MasterKey::parse(&settings.store.master_key)
    };
    let master_key = master_key.map_err(StartError::MasterKey)?;
    let db = Db::open(&settings.database_url(), settings.store.connections_max).await?;
    db.require_walled_role().await?;
    db.migrate(settings.migrate_url().as_ref()).await.map_err(StartError::Migrate)?;
    let platform = Platform {
        db,
        ids: IdGenerator::new(clock.clone(), randomness.clone()),
        clock,
        randomness,
        doorbell: Doorbell::default(),
        master_key: Arc::new(master_key),
        settings: Arc::new(settings),
    };
    if !knows_master_key(&platform).await? {
        return Err(StartError::WrongMasterKey);
    }
    Ok(Arc::new(platform))
}

/// Makes the directory, if there is none, for the program's user alone: it holds messages and keys.
fn make_private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether the store was first started with this master key; at the first start it is noted.
async fn knows_master_key(platform: &Platform) -> Result<bool, StartError> {
    let check = check_value(&platform.master_key);
    let find = || installation::Entity::find_by_id(ROW_ID).one(platform.db.reader());
    let mut found = find().await.map_err(StartError::Store)?;
    if found.is_none() {
        let values = [check.to_vec().into(), platform.clock.now().0.into()];
        let statement = &Statement::from_sql_and_values(
            platform.db.store().backend(),
            // Of two nodes that start at once, the second finds the first one's row.
            "INSERT INTO installation (id, master_key_check, created_at_ms) VALUES (1, $1, $2) \
             ON CONFLICT (id) DO NOTHING",
            values,
        );
        let write = platform.db.write(|tx| async move { tx.execute_raw(statement.clone()).await });
        write.await.map_err(StartError::Store)?;
        found = find().await.map_err(StartError::Store)?;
    }
    Ok(found.is_some_and(|row| row.master_key_check.ct_eq(&check).into()))
}

/// What an installation remembers of its master key: nothing that helps to find it.
pub(crate) fn check_value(master_key: &MasterKey) -> [u8; 32] {
    master_key.hash(Purpose::Installation, b"master key")
}

/// The right of one process to serve a SQLite file. PostgreSQL needs none: there, leases decide.
///
/// The operating system gives it back when the process ends, however it ends.
pub(super) struct StoreLock {
    _file: Option<File>,
}

impl StoreLock {
    /// Takes the lock of the store at `url`.
    ///
    /// # Errors
    /// [`StartError::InUse`] if another process serves it; [`StartError::DataDir`] if the lock's
    /// file cannot be made.
    pub(super) fn take(url: &DatabaseUrl) -> Result<Self, StartError> {
        let Some(path) = lock_path(url) else { return Ok(Self { _file: None }) };
        let failed = |source| StartError::DataDir { path: path.clone(), source };
        if let Some(directory) = path.parent().filter(|path| *path != Path::new("")) {
            make_private_directory(directory).map_err(failed)?;
        }
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(StartError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// Beside the SQLite file; `None` for PostgreSQL.
fn lock_path(url: &DatabaseUrl) -> Option<PathBuf> {
    let text = url.expose().strip_prefix("sqlite:")?;
    let path = text.strip_prefix("//").unwrap_or(text);
    let path = path.split('?').next().unwrap_or_default();
    Some(PathBuf::from(format!("{path}.lock")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_file_is_served_by_one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::in_directory(&directory.path().join("made"));
        let held = StoreLock::take(&url).unwrap();
        assert!(matches!(StoreLock::take(&url), Err(StartError::InUse { .. })));
        drop(held);
        StoreLock::take(&url).unwrap();
    }

    #[test]
    fn the_lock_lies_beside_the_file() {
        for (url, path) in [
            ("sqlite:data/a.db", Some("data/a.db.lock")),
            ("sqlite:///var/a.db?mode=rw", Some("/var/a.db.lock")),
            ("postgres://a@b/c", None),
        ] {
            assert_eq!(lock_path(&DatabaseUrl::parse(url).unwrap()), path.map(PathBuf::from));
        }
    }
}
