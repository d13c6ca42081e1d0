//! The context of a call: who is asking, under which request id, with which parts of the platform.

use std::sync::Arc;

use crate::authz::Actor;
use crate::config::Settings;
use crate::db::Db;
use crate::events::Doorbell;
use crate::keys::MasterKey;
use crate::sys::{Clock, IdGenerator, Randomness};

/// The parts of the platform that every command may use. One per process, shared.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The store.
    pub db: Db,
    /// The only source of time.
    pub clock: Clock,
    /// The only source of chance.
    pub randomness: Randomness,
    /// The only source of ids.
    pub ids: IdGenerator,
    /// Wakes readers; carries no data.
    pub doorbell: Doorbell,
    /// Keyed hashes and seals.
    pub master_key: Arc<MasterKey>,
    /// The settings.
    pub settings: Arc<Settings>,
}

/// The context of one call. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// Who is asking.
    pub actor: Actor,
    /// The store as this caller reaches it: a tenant on PostgreSQL meets its own account's rows
    /// alone, whatever a query asks for.
    pub db: Db,
    /// Named in every error and every line of the log about this call.
    pub request_id: Arc<str>,
    platform: Arc<Platform>,
}

impl Ctx {
    /// A context for a caller.
    pub fn new(platform: Arc<Platform>, actor: Actor, request_id: Arc<str>) -> Self {
        let db = db_for(&actor, &platform.db);
        Self { actor, db, request_id, platform }
    }

    /// A context for the program's own work; `job` names it in the log.
    pub fn system(platform: Arc<Platform>, job: &'static str) -> Self {
        Self::new(platform, Actor::System, Arc::from(job))
    }

    /// The same call on behalf of another actor.
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { db: db_for(&actor, &self.platform.db), actor, ..self.clone() }
    }

    /// The store across all accounts, whoever is calling: for what belongs to a person rather than
    /// to an account, and for what is asked before an account is known. Identity alone uses it.
    pub fn db_of_platform(&self) -> &Db {
        &self.platform.db
    }
}

fn db_for(actor: &Actor, db: &Db) -> Db {
    match actor.walled_account() {
        Some(account_id) => db.for_account(account_id),
        None => db.clone(),
    }
}

impl std::ops::Deref for Ctx {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.platform
    }
}
