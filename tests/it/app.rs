//! A node as a whole: it starts, serves, knows its store again, and stops in good order.

use std::time::Duration;

use heliograph::app::{AppParts, StartError, Stopped, open_platform};
use heliograph::authz::Actor;
use heliograph::carriers::registry;
use heliograph::config::{NodeRole, Settings};
use heliograph::db::Store;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{PATIENCE, Served, TestHouse, both_stores, within};

/// Settings of a store that nothing has been done to yet.
async fn untouched_store(house: &TestHouse) -> Settings {
    let mut settings = Settings::clone(&house.platform.settings);
    match house.store() {
        Store::Sqlite => {
            let directory = house.directory().join("untouched");
            settings.store.database_url = String::new();
            settings.store.data_dir = directory;
        }
        Store::Postgres => {
            house.execute("DROP SCHEMA public CASCADE", []).await;
            house.execute("CREATE SCHEMA public", []).await;
        }
    }
    settings
}

/// Of the paths that a load balancer asks.
async fn statuses(served: &Served) -> [u16; 2] {
    [served.get("/healthz").await.0, served.get("/readyz").await.0]
}

both_stores! {
    async fn a_node_answers_on_every_path_and_stops_in_time(house: TestHouse) {
        let served = house.serve().await;
        assert_eq!(statuses(&served).await, [200, 200]);
        let (status, keys) = served.get("/.well-known/jwks.json").await;
        assert_eq!((status, keys.contains("\"keys\"")), (200, true));
        let (status, metrics) = served.get("/metrics").await;
        assert_eq!(status, 200);
        assert!(metrics.contains("heliograph_build_info{version="), "{metrics}");
        let answer = served.graphql(None, "{ __typename }", json!({})).await;
        assert_eq!(answer["data"]["__typename"], "Query");
        assert_eq!(served.stop().await, Stopped::InTime);
    }

    async fn a_forged_credential_is_refused(house: TestHouse) {
        let served = house.serve().await;
        let forged = "hg_live_0000000000000000000000000000000000000000";
        let answer = served.graphql(Some(forged), "{ __typename }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        served.stop().await;
    }

    async fn the_first_start_makes_the_operator_and_the_simulator(house: TestHouse) {
        let served = house.serve().await;
        let link = served.app.operator_link().expect("there is no owner yet");
        assert!(link.url.expose().starts_with(&served.url));
        served.stop().await;
        let second = house.serve().await;
        let operators = "SELECT count(*) FROM account WHERE kind = 1";
        assert_eq!(house.value::<i64>(operators, []).await, 1);
        let ctx = second.ctx_as(Actor::System);
        let simulator = registry::find(&ctx, registry::SIMULATOR_CARRIER_ID).await.unwrap();
        assert!(simulator.is_some_and(|carrier| carrier.enabled));
        second.stop().await;
    }

    async fn a_worker_tells_how_it_is_and_serves_nothing_else(house: TestHouse) {
        let worker = house
            .serve_with(|settings| settings.server.roles = vec![NodeRole::Worker])
            .await
            .unwrap();
        assert_eq!(statuses(&worker).await, [200, 200]);
        let (status, metrics) = worker.get("/metrics").await;
        assert_eq!((status, metrics.contains("heliograph_build_info{version=")), (200, true));
        for path in ["/", "/graphql", "/graphiql", "/.well-known/jwks.json"] {
            assert_eq!(worker.get(path).await.0, 404, "{path}");
        }
        assert_eq!(worker.stop().await, Stopped::InTime);
    }

    async fn a_stop_takes_no_longer_than_the_setting_and_says_if_that_was_too_short(house: TestHouse) {
        let served =
            house.serve_with(|settings| settings.server.shutdown_timeout_s = 1).await.unwrap();
        let address = served.platform().settings.server.listen;
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
            content-length: 100\r\nexpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server has begun with the request when it asks for the body, which never comes.
        within(PATIENCE, stream.read_exact(&mut [0; 12])).await.unwrap();
        let stopped = tokio::time::timeout(Duration::from_secs(5), served.app.stop()).await;
        assert_eq!(stopped.unwrap(), Stopped::Late);
        // The store was closed all the same: it can be served anew.
        house.serve().await.stop().await;
    }

    async fn many_nodes_may_start_at_once_on_an_untouched_store(house: TestHouse) {
        let settings = untouched_store(&house).await;
        let starts = (0..4).map(|_| open_platform(settings.clone(), house.parts()));
        for platform in within(PATIENCE, futures::future::join_all(starts)).await {
            let pending = platform.unwrap().db.pending_migrations().await.unwrap();
            assert_eq!(pending, Vec::<String>::new());
        }
    }

    async fn another_master_key_is_refused(house: TestHouse) {
        house.serve().await.stop().await;
        let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let refused =
            house.serve_with(|settings| settings.store.master_key = other.to_owned()).await;
        assert!(matches!(refused.err(), Some(StartError::WrongMasterKey)));
    }

    async fn only_postgres_is_served_by_two_nodes(house: TestHouse) {
        let first = house.serve().await;
        let second = house.serve_with(|_| {}).await;
        match house.store() {
            Store::Sqlite => assert!(matches!(second.err(), Some(StartError::InUse { .. }))),
            Store::Postgres => {
                second.unwrap().stop().await;
            }
        }
        first.stop().await;
        house.serve().await.stop().await;
    }

    async fn an_address_in_use_is_told_before_the_store_is_touched(house: TestHouse) {
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = taken.local_addr().unwrap();
        let directory = house.directory().join("never made");
        let mut settings = untouched_store(&house).await;
        settings.server.listen = listen;
        settings.store.data_dir = directory.clone();
        settings.store.database_url = format!("sqlite:{}", house.directory().join("x.db").display());
        let refused = heliograph::app::App::start(settings, AppParts::system()).await;
        assert!(matches!(refused.err(), Some(StartError::Listen { .. })));
        assert!(!directory.exists());
    }
}
