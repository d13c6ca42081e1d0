//! The second wall between accounts: PostgreSQL's row security, with authorization left out. Each
//! test asks the store itself, through the context of a tenant's call.
//!
//! On SQLite there is no such wall, so these tests have PostgreSQL's half alone.

mod roles;
mod rows;

use entity::enums::Role;
use entity::ids::{AccountId, PersonId, SessionId};
use heliograph::authz::{Actor, PersonActor};
use heliograph::ctx::Ctx;
use heliograph::db::Reader;
use heliograph::error::Failed;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use self::rows::{APPEND_ONLY, OWN, STRANGER, Table, fill};
use crate::support::TestHouse;

/// The migrations' own table: it names versions, and has nothing of any account.
const UNWALLED: &str = "seaql_migrations";

macro_rules! on_postgres {
    ($(async fn $name:ident($house:ident: TestHouse) $body:block)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            async fn test($house: TestHouse) $body
            $crate::support::run(heliograph::db::Store::Postgres, concat!(module_path!(), "::", stringify!($name)), test)
                .await;
        }
    )+};
}
use on_postgres;

/// A call of an owner of the account, who may do everything that a tenant may.
fn tenant(house: &TestHouse, account_id: AccountId) -> Ctx {
    house.ctx_as(Actor::Person(PersonActor {
        person_id: PersonId(account_id.0),
        session_id: SessionId(account_id.0),
        account_id,
        role: Role::Owner,
        is_operator: false,
    }))
}

async fn count(reader: &Reader, sql: &str) -> i64 {
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    let row =
        reader.query_one_raw(statement).await.unwrap_or_else(|fault| panic!("{sql}: {fault}"));
    row.unwrap().try_get_by_index(0).unwrap()
}

async fn execute(reader: &Reader, sql: &str) -> Result<u64, DbErr> {
    Ok(reader.execute_unprepared(sql).await?.rows_affected())
}

/// The tables of the catalogue, so that one that is added tomorrow is asked for too.
async fn tables(house: &TestHouse) -> Vec<Table> {
    let rows = house
        .rows(
            "SELECT relname::text, relrowsecurity AND relforcerowsecurity, \
             (SELECT count(*) FROM pg_policy WHERE polrelid = pg_class.oid), \
             EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid \
             AND attname = 'account_id' AND NOT attisdropped), \
             (SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum = 1) \
             FROM pg_class WHERE relkind IN ('r', 'p') \
             AND relnamespace = current_schema()::regnamespace ORDER BY relname",
            [],
        )
        .await;
    let table = |row: &sea_orm::QueryResult| Table {
        name: row.try_get_by_index(0).unwrap(),
        is_walled: row.try_get_by_index::<bool>(1).unwrap()
            && row.try_get_by_index::<i64>(2).unwrap() > 0,
        has_account: row.try_get_by_index(3).unwrap(),
        first_column: row.try_get_by_index(4).unwrap(),
    };
    rows.iter().map(table).filter(|table| table.name != UNWALLED).collect()
}

on_postgres! {
    async fn every_table_stands_behind_the_wall(house: TestHouse) {
        let tables = tables(&house).await;
        let open: Vec<_> = tables.iter().filter(|table| !table.is_walled).collect();
        assert!(open.is_empty(), "without forced row security and a policy: {open:?}");
        assert!(tables.iter().any(|table| table.name == "message"), "the catalogue was not read");
    }

    async fn a_tenant_meets_its_own_rows_alone(house: TestHouse) {
        fill(&house).await;
        let ctx = tenant(&house, OWN);
        for table in tables(&house).await {
            let name = &table.name;
            let platform = &house.platform.db;
            let all = count(platform.reader(), &format!("SELECT count(*) FROM {name}")).await;
            assert!(all >= 1, "{name}: nothing to hide was made; add it to rows.rs");
            let own = format!("SELECT count(*) FROM {name} WHERE {}", table.is_own());
            let own = count(platform.reader(), &own).await;
            assert!(all > own, "{name}: no stranger's row was made; add it to rows.rs");

            let seen = count(ctx.db.reader(), &format!("SELECT count(*) FROM {name}")).await;
            assert_eq!(seen, own, "{name}: a tenant sees its own rows");
            let writable = if name == "person" { 0 } else { own.unsigned_abs() };
            let column = &table.first_column;
            let touch = format!("UPDATE {name} SET {column} = {column}");
            if APPEND_ONLY.contains(&name.as_str()) {
                for sql in [touch, format!("DELETE FROM {name}")] {
                    for reach in [ctx.db.reader(), platform.reader()] {
                        let fault = execute(reach, &sql).await.expect_err(&sql);
                        assert!(fault.to_string().contains("append-only"), "{sql}: {fault}");
                    }
                }
                continue;
            }
            let touched = execute(ctx.db.reader(), &touch).await.unwrap();
            assert_eq!(touched, writable, "{name}: a tenant writes its own rows");
            let others = format!("NOT coalesce({}, false)", table.is_own());
            let delete = format!("DELETE FROM {name} WHERE {others}");
            let deleted = execute(ctx.db.reader(), &delete).await.unwrap();
            assert_eq!(deleted, 0, "{name}: a tenant deletes nothing of others");
        }
    }

    async fn a_tenant_adds_nothing_to_others(house: TestHouse) {
        fill(&house).await;
        let ctx = tenant(&house, OWN);
        for table in tables(&house).await {
            let name = &table.name;
            let theirs = format!(
                "SELECT to_jsonb({name})::text FROM {name} WHERE NOT coalesce({}, false) LIMIT 1",
                table.is_own()
            );
            let theirs: String = house.value(&theirs, []).await;
            let add = format!(
                "INSERT INTO {name} SELECT * FROM jsonb_populate_record(NULL::{name}, '{theirs}')"
            );
            let added = execute(ctx.db.reader(), &add).await;
            let fault = added.expect_err(&format!("{name}: a stranger's row was added"));
            let fault = fault.to_string();
            assert!(fault.contains("row-level security"), "{name}: {fault}");
            if table.has_account && !APPEND_ONLY.contains(&name.as_str()) {
                let give = format!("UPDATE {name} SET account_id = '{}'", STRANGER.0);
                let given = execute(ctx.db.reader(), &give).await;
                let fault = given.expect_err(&format!("{name}: a row was given away")).to_string();
                assert!(fault.contains("row-level security"), "{name}: {fault}");
            }
        }
    }

    async fn a_connection_changes_hands_with_its_account(house: TestHouse) {
        fill(&house).await;
        let (own, stranger) = (tenant(&house, OWN), tenant(&house, STRANGER));
        let sql = "SELECT count(*) FROM message WHERE account_id = ";
        // Many more than connections, so that each serves both.
        let asks = (0..200).map(|n| {
            let (ctx, other) = if n % 2 == 0 { (&own, STRANGER) } else { (&stranger, OWN) };
            async move {
                let theirs = count(ctx.db.reader(), &format!("{sql}'{}'", other.0)).await;
                let all = count(ctx.db.reader(), "SELECT count(*) FROM message").await;
                assert_eq!((all, theirs), (1, 0));
            }
        });
        futures::future::join_all(asks).await;
    }

    async fn a_transaction_of_a_tenant_has_its_account(house: TestHouse) {
        fill(&house).await;
        let ctx = tenant(&house, OWN);
        let seen: Result<i64, Failed> = ctx
            .db
            .write(|tx| async move {
                tx.execute_unprepared("UPDATE message SET version = version + 1").await?;
                let sql = "SELECT count(*) FROM message";
                let statement = Statement::from_string(tx.store().backend(), sql);
                let row = tx.query_one_raw(statement).await?.unwrap();
                Ok(row.try_get_by_index(0)?)
            })
            .await;
        assert_eq!(seen.unwrap(), 1);
        let changed: i64 = house.value("SELECT count(*) FROM message WHERE version = 2", []).await;
        assert_eq!(changed, 1, "the stranger's message is as it was");
    }

    async fn the_operators_people_and_nobody_reach_all(house: TestHouse) {
        fill(&house).await;
        let Actor::Person(mut person) = tenant(&house, OWN).actor else { panic!("a person") };
        person.is_operator = true;
        for actor in [Actor::Person(person), Actor::Anonymous, Actor::CommandLine, Actor::System] {
            let ctx = tenant(&house, OWN).acting_as(actor);
            assert_eq!(count(ctx.db.reader(), "SELECT count(*) FROM message").await, 2);
            let back = ctx.acting_as(tenant(&house, OWN).actor);
            assert_eq!(count(back.db.reader(), "SELECT count(*) FROM message").await, 1);
        }
    }
}
