//! Files that are wrong in every way, links that are, and work that is interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::enums::Role;
use futures::StreamExt;
use heliograph::contacts::imports;
use heliograph::ctx::{Ctx, Platform};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{World, counts, finished};
use crate::graphql_api::{account, person, text};
use crate::support::{PATIENCE, both_stores, within};

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

both_stores! {
    async fn every_encoding_is_read(house: TestHouse) {
        let world = World::new(house).await;
        world.define("city", "TEXT").await;
        let file = "number,city\n+4915112345671,Köln\n";
        let contact = ["+4915112345671 v1 [] () city=Köln"];
        let utf8 = file.as_bytes().to_vec();
        let latin: Vec<u8> = file.chars().map(|it| u8::try_from(it as u32).unwrap()).collect();
        let marked = utf16(&format!("\u{feff}{file}"));
        for bytes in [utf8, format!("\u{feff}{file}").into_bytes(), latin.clone(), marked] {
            let import = world.imported(json!({}), bytes).await;
            assert_eq!(counts(&import), finished([1, 1, 0, 0]));
            assert_eq!(world.contacts().await, contact);
            for table in ["contact_value", "contact"] {
                world.house.execute(&format!("DELETE FROM {table}"), []).await;
            }
        }
        let import = world.imported(json!({ "encoding": "UTF_8" }), latin).await;
        assert_eq!(counts(&import), finished([1, 0, 0, 1]));
        assert!(world.faults(&import).await[0].starts_with("2,city,INVALID_ENCODING"));
        world.node.stop().await;
    }

    async fn what_is_no_csv_is_refused_and_the_link_takes_another(house: TestHouse) {
        let world = World::with(house, |settings| settings.contacts.import_bytes_max = 4_096).await;
        let (id, url) = world.waiting(json!({})).await;
        let bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".repeat(100);
        for (file, status, message) in [
            (bomb, 422, "gzip"),
            (b"PK\x03\x04workbook".to_vec(), 422, "workbook"),
            (Vec::new(), 422, "empty"),
            (b"\r\n \n".to_vec(), 422, "empty"),
            (vec![b'1'; 4_097], 413, "4096"),
        ] {
            let (found, answer) = world.upload(&url, file).await;
            assert_eq!(found, status, "{answer}");
            assert!(answer.contains(message), "{answer}");
            assert_eq!(world.import(&id).await["status"], "AWAITING_UPLOAD");
        }
        // Without a length that could be refused before the body.
        let parts = futures::stream::iter((0..5).map(|_| Ok::<_, std::io::Error>(vec![b'1'; 1_000])));
        let (status, _) = world.upload(&url, reqwest::Body::wrap_stream(parts)).await;
        assert_eq!(status, 413);
        let packed = world.node.http.put(&url).header("content-encoding", "gzip").body("x");
        assert_eq!(packed.send().await.unwrap().status(), 415);
        let (status, _) = world.upload(&url, "number\n+4915112345671\n").await;
        assert_eq!(status, 202);
        let parts: i64 = world.house.value("SELECT COUNT(*) FROM contact_import_part", []).await;
        assert_eq!(parts, 1, "nothing is left of what was refused");
        world.node.stop().await;
    }

    async fn rows_that_are_wrong_in_every_way_keep_no_other_out(house: TestHouse) {
        let world = World::new(house).await;
        world.define("city", "TEXT").await;
        let wide = vec!["x"; 10_000].join(",");
        let giant = "y".repeat(300_000);
        let file = format!(
            "number,city\n{wide}\n+4915112345671,\"{giant}\n{giant}\"\n+4915112345672,a\0b\n\
             +4915112345673,\"Ulm\n\"\"am Fluss\"\"\"\n+4915112345674,{}\n+4915112345675,Bonn\n\
             +4915112345676,\"never closed\n+4915112345677,Rome\n",
            "z".repeat(501)
        );
        let import = world.imported(json!({}), file).await;
        assert_eq!(counts(&import), finished([7, 1, 0, 6]));
        assert_eq!(world.contacts().await, ["+4915112345675 v1 [] () city=Bonn"]);
        let faults = world.faults(&import).await;
        let lines: Vec<_> = faults.iter().map(|it| it.split(',').take(3).collect::<Vec<_>>().join(",")).collect();
        assert_eq!(lines, [
            "2,,ROW_TOO_LARGE", "3,,ROW_TOO_LARGE", "5,city,INVALID_VALUE", "6,city,INVALID_VALUE",
            "8,city,INVALID_VALUE", "10,city,INVALID_VALUE",
        ]);
        world.node.stop().await;
    }

    async fn a_link_is_for_one_file_of_one_import_and_for_a_time(house: TestHouse) {
        let world = World::new(house).await;
        let file = "number\n+4915112345671\nnobody\n";
        let (id, url) = world.waiting(json!({})).await;
        let stranger = person(&world.house, account(&world.house, "Other").await, Role::Owner);
        let query = "query($id: ID!) { contactImport(id: $id) { id } node(id: $id) { id } }";
        let seen = world.api.data(&stranger, query, json!({ "id": id })).await;
        assert_eq!(seen, json!({ "contactImport": null, "node": null }));
        let support = world.house.ctx_as(person(&world.house, world.account_id, Role::Support).actor);
        let query = "query($id: ID!) { contactImport(id: $id) { uploadUrl } }";
        let seen = world.api.data(&support, query, json!({ "id": id })).await;
        assert_eq!(seen["contactImport"]["uploadUrl"], Value::Null, "who may not import has no link");
        let changed = format!("{}A", &url[..url.len() - 1]);
        for wrong in [changed, format!("{}/uploads/x", world.node.url)] {
            assert_eq!(world.upload(&wrong, file).await.0, 404, "{wrong}");
        }
        assert_eq!(world.upload(&url, file).await.0, 202);
        assert_eq!(world.upload(&url, file).await.0, 409, "a file is taken in once");
        let download = url.replace("/uploads/", "/downloads/");
        assert_eq!(world.node.http.get(&download).send().await.unwrap().status(), 404);
        world.run().await;
        let errors = text(&world.import(&id).await["errorsUrl"]);
        world.house.hand.advance(Duration::from_secs(3_601));
        assert_eq!(world.node.http.get(&errors).send().await.unwrap().status(), 404, "for an hour");
        assert_eq!(world.faults(&world.import(&id).await).await.len(), 1, "and then by another");

        let (late, late_url) = world.waiting(json!({})).await;
        let (left, left_url) = world.waiting(json!({})).await;
        world.house.hand.advance(Duration::from_secs(86_400));
        assert_eq!(world.upload(&late_url, file).await.0, 410);
        assert_eq!(imports::purge(&world.house.system()).await.unwrap(), 2);
        for id in [late, left] {
            assert_eq!(world.import(&id).await["status"], "EXPIRED");
        }
        assert_eq!(world.upload(&left_url, file).await.0, 410);
        world.house.hand.advance(Duration::from_secs(604_800));
        assert!(imports::purge(&world.house.system()).await.unwrap() > 0);
        assert_eq!(imports::purge(&world.house.system()).await.unwrap(), 0);
        assert_eq!(world.import(&id).await["errorsUrl"], Value::Null);
        let parts: i64 = world.house.value("SELECT COUNT(*) FROM contact_import_part", []).await;
        assert_eq!(parts, 0);
        world.node.stop().await;
    }

    async fn an_upload_that_breaks_off_leaves_nothing(house: TestHouse) {
        let world = World::new(house).await;
        let (id, url) = world.waiting(json!({})).await;
        let path = url.strip_prefix(&world.node.url).unwrap().to_owned();
        let address = world.node.url.strip_prefix("http://").unwrap().to_owned();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&b"number\n".repeat(100_000)).await.unwrap();
        // The node has begun when parts are there.
        let begun = async {
            loop {
                if world.import(&id).await["status"] == "UPLOADING" {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        within(PATIENCE, begun).await;
        let (status, _) = world.upload(&url, "number\n+4915112345671\n").await;
        assert_eq!(status, 409, "another one is under way");
        drop(stream);
        let given_up = async {
            while world.import(&id).await["status"] != "AWAITING_UPLOAD" {
                tokio::task::yield_now().await;
            }
        };
        within(PATIENCE, given_up).await;
        assert_eq!(world.upload(&url, "number\n+4915112345671\n").await.0, 202);
        world.run().await;
        assert_eq!(counts(&world.import(&id).await), finished([1, 1, 0, 0]));
        world.node.stop().await;
    }

    async fn a_node_that_died_while_uploading_is_replaced(house: TestHouse) {
        let world = World::new(house).await;
        let (id, url) = world.waiting(json!({})).await;
        let link = url.rsplit('/').next().unwrap();
        let system = world.house.system();
        let mut dead = imports::begin_upload(&system, link, None).await.ok().unwrap();
        dead.write(&b"number\n".repeat(100_000)).await.unwrap();
        assert_eq!(world.upload(&url, "number\n+4915112345671\n").await.0, 409);
        world.house.hand.advance(Duration::from_secs(121));
        assert_eq!(world.upload(&url, "number\n+4915112345671\n").await.0, 202);
        assert!(dead.write(&b"number\n".repeat(100_000)).await.is_err(), "it writes nothing more");
        dead.give_up().await.unwrap();
        world.run().await;
        assert_eq!(counts(&world.import(&id).await), finished([1, 1, 0, 0]));
        world.node.stop().await;
    }

    async fn an_import_survives_a_crash_after_every_statement(house: TestHouse) {
        let world = World::new(house).await;
        world.define("city", "TEXT").await;
        let mut file = "number,city,tags\n".to_owned();
        for n in 0..2_500 {
            // One in ten is a number twice, one in a hundred has a fault.
            let number = 15_100_000_000_u64 + if n % 10 == 9 { n - 1 } else { n };
            let number = if n % 100 == 50 { "none".to_owned() } else { format!("+49{number}") };
            // Wide rows: the file has more than two parts.
            file.push_str(&format!("{number},City {n:0>300},t{}\n", n % 3));
        }
        let (id, url) = world.waiting(json!({})).await;
        assert_eq!(world.upload(&url, file).await.0, 202);
        let parts: i32 = world.house.value("SELECT part_count FROM contact_import", []).await;
        assert!(parts > 2, "{parts} parts");
        let mut crashes = 0;
        for statements in (1..).step_by(3) {
            let counted = Arc::new(AtomicUsize::new(0));
            let (seen, died) = (Arc::clone(&counted), Arc::new(tokio::sync::Notify::new()));
            let dies = Arc::clone(&died);
            let platform = Platform::clone(&world.house.platform);
            let db = platform.db.clone().observed(move |_| {
                if seen.fetch_add(1, Ordering::SeqCst) + 1 == statements {
                    dies.notify_one();
                }
            });
            let crashing = Ctx::system(Arc::new(Platform { db, ..platform }), "crashing");
            tokio::select! {
                biased;
                () = died.notified() => crashes += 1,
                ran = imports::run_imports(&crashing) => {
                    ran.unwrap();
                    break;
                }
            }
            let import = world.import(&id).await;
            let parts = counts(&import).1;
            assert_eq!(parts[0], parts[1] + parts[2] + parts[3], "{import}");
        }
        assert!(crashes > 5, "{crashes}");
        world.run().await;
        assert_eq!(counts(&world.import(&id).await), finished([2_500, 2_225, 250, 25]));
        let contacts: i64 = world.house.value("SELECT COUNT(*) FROM contact", []).await;
        assert_eq!(contacts, 2_225);
        assert_eq!(world.faults(&world.import(&id).await).await.len(), 25);
        assert_eq!(world.run().await, 0, "there is nothing left to do");
        world.node.stop().await;
    }

    async fn two_workers_and_a_cancel_do_nothing_twice(house: TestHouse) {
        let world = World::new(house).await;
        let rows = |from: u64| -> String {
            (from..from + 7_000).map(|n| format!("+49{}\n", 15_100_000_000 + n)).collect()
        };
        let mut ids = Vec::new();
        for from in [0, 3_500] {
            let (id, url) = world.waiting(json!({})).await;
            assert_eq!(world.upload(&url, format!("number\n{}", rows(from))).await.0, 202);
            ids.push(id);
        }
        let (one, two) = (world.house.system(), world.house.system());
        let (one, two) = tokio::join!(imports::run_imports(&one), imports::run_imports(&two));
        assert!(one.is_ok() && two.is_ok());
        world.run().await;
        let mut all = [0; 4];
        for id in &ids {
            let (status, counts) = counts(&world.import(id).await);
            assert_eq!((status.as_str(), counts[0]), ("FINISHED", 7_000));
            all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        assert_eq!(all, [14_000, 10_500, 3_500, 0]);
        let (id, url) = world.waiting(json!({})).await;
        assert_eq!(world.upload(&url, format!("number\n{}", rows(20_000))).await.0, 202);
        let cancel = "mutation($id: ID!) { cancelContactImport(input: {importId: $id}) { \
            import { status } } }";
        let (system, variables) = (world.house.system(), json!({ "id": id }));
        let (ran, canceled) =
            tokio::join!(imports::run_imports(&system), world.ask(cancel, variables));
        assert!(ran.is_ok());
        assert_eq!(canceled["cancelContactImport"]["import"]["status"], "CANCELED");
        let import = world.import(&id).await;
        let kept: i64 = world.house.value("SELECT COUNT(*) FROM contact", []).await;
        assert_eq!(kept, 10_500 + import["createdCount"].as_i64().unwrap(), "{import}");
        imports::purge(&world.house.system()).await.unwrap();
        let parts: i64 = world.house.value("SELECT COUNT(*) FROM contact_import_part", []).await;
        assert_eq!(parts, 0);
        world.node.stop().await;
    }

    async fn progress_is_told_live(house: TestHouse) {
        let world = World::new(house).await;
        let (id, url) = world.waiting(json!({})).await;
        let document = "subscription($id: ID!) { contactImportProgress(importId: $id) { \
            import { status rowCount } } }";
        let mut stream = world.api.stream(&world.ctx, document, json!({ "id": id }));
        let mut told = async || {
            let answer = within(PATIENCE, stream.next()).await?;
            assert!(answer.errors.is_empty(), "{:?}", answer.errors);
            Some(answer.data.into_json().unwrap()["contactImportProgress"]["import"].clone())
        };
        assert_eq!(told().await, Some(json!({ "status": "AWAITING_UPLOAD", "rowCount": 0 })));
        assert_eq!(world.upload(&url, "number\n+4915112345671\n").await.0, 202);
        let tick = async {
            loop {
                world.house.hand.advance(Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            next = told() => {
                assert_eq!(next, Some(json!({ "status": "QUEUED", "rowCount": 0 })));
            }
            () = tick => {}
        }
        world.run().await;
        let tick = async {
            loop {
                world.house.hand.advance(Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            next = told() => {
                assert_eq!(next, Some(json!({ "status": "FINISHED", "rowCount": 1 })));
            }
            () = tick => {}
        }
        assert_eq!(told().await, None, "it has ended");
        let other = account(&world.house, "Other").await;
        let stranger = person(&world.house, other, Role::Owner);
        let mut stream = world.api.stream(&stranger, document, json!({ "id": id }));
        let answer = within(PATIENCE, stream.next()).await.unwrap();
        let nothing = json!({ "contactImportProgress": { "import": null } });
        assert_eq!(answer.data.into_json().unwrap(), nothing, "a stranger learns nothing");
        world.node.stop().await;
    }
}
