//! Proving that a host is one's own, to a DNS server that shares no code with the program: the Python
//! package `dnslib`. Needs `python3` and `pip` with a registry; without them it fails rather than pass
//! untested.

use std::time::Duration;

use entity::enums::{LinkDomainStatus, Role};
use heliograph::ctx::Ctx;
use heliograph::error::Error;
use heliograph::links::domains::{self, DOMAINS_MAX, VerifyDomainRejection};
use serde_json::{Value, json};

use super::HOST;
use crate::graphql_api::{Api, account, person, text};
use crate::support::{TestHouse, both_stores};
use crate::third_party_python::Server;

const CREATE: &str = "mutation($host: String!) { createLinkDomain(input: {host: $host}) { \
    linkDomain { id host status verificationRecord { name type value } verifiedAt lastCheckedAt } \
    userErrors { code path } } }";
const VERIFY: &str = "mutation($id: ID!) { verifyLinkDomain(input: {linkDomainId: $id}) { \
    linkDomain { status verifiedAt lastCheckedAt } userErrors { code path } } }";
const READ: &str = "query($id: ID!) { node(id: $id) { ... on LinkDomain { status verifiedAt \
    lastCheckedAt } } }";

/// A DNS server.
struct Dns(Server);

impl Dns {
    /// Which the house asks from now on.
    async fn of(house: &mut TestHouse) -> Self {
        let server = Server::start("dns_server", "serve.py").await;
        let address = format!("127.0.0.1:{}", server.port);
        house.platform = house.platform_with(|settings| settings.links.dns_server = address);
        Self(server)
    }

    /// Has it know these TXT records alone, each with its parts.
    async fn knows(&mut self, records: &[(&str, &[&str])]) {
        let mut zone = String::new();
        for (name, parts) in records {
            let parts: Vec<String> = parts.iter().map(|part| format!("\"{part}\"")).collect();
            zone.push_str(&format!("{name}. 60 IN TXT {}\n", parts.join(" ")));
        }
        self.is(&zone).await;
    }

    /// Has it know this zone alone.
    async fn is(&mut self, zone: &str) {
        assert_eq!(self.0.tell(&json!(zone).to_string()).await, "ok");
    }
}

async fn create(api: &Api, ctx: &Ctx, host: &str) -> Value {
    api.data(ctx, CREATE, json!({ "host": host })).await["createLinkDomain"].clone()
}

/// The domain, and the code of why it was not verified.
async fn verify(api: &Api, ctx: &Ctx, id: &str) -> (Value, Value) {
    let answer = api.data(ctx, VERIFY, json!({ "id": id })).await["verifyLinkDomain"].clone();
    (answer["linkDomain"].clone(), answer["userErrors"][0]["code"].clone())
}

fn owner(house: &TestHouse, account_id: entity::ids::AccountId) -> Ctx {
    person(house, account_id, Role::Owner)
}

both_stores! {
    async fn a_host_is_verified_by_its_record_in_the_dns(house: TestHouse) {
        let mut house = house;
        let mut dns = Dns::of(&mut house).await;
        let api = Api::new(&house).await;
        let ctx = &owner(&house, account(&house, "Acme").await);
        let made = create(&api, ctx, " GO.Shop.Example. ").await["linkDomain"].clone();
        assert_eq!((&made["host"], &made["status"]), (&json!(HOST), &json!("PENDING")));
        assert_eq!((&made["verifiedAt"], &made["lastCheckedAt"]), (&Value::Null, &Value::Null));
        let (id, record) = (text(&made["id"]), &made["verificationRecord"]);
        assert_eq!((&record["type"], &record["name"]), (&json!("TXT"), &json!("_heliograph.go.shop.example")));
        let (name, value) = (text(&record["name"]), text(&record["value"]));
        assert!(value.starts_with("heliograph-verification="), "{value}");

        let next_look = || house.hand.advance(Duration::from_secs(5));
        assert_eq!(verify(&api, ctx, &id).await.1, "RECORD_NOT_FOUND");
        assert_eq!(verify(&api, ctx, &id).await.1, "CHECKED_JUST_NOW");
        let read = || async { api.data(ctx, READ, json!({ "id": id })).await["node"].clone() };
        assert_eq!(read().await, json!({ "status": "PENDING", "verifiedAt": null,
            "lastCheckedAt": "2026-01-05T00:00:00.000Z" }));
        // Beside it, at another name, of another kind, or not all of it.
        let other = format!("{}0", &value[..value.len() - 1]);
        let other = if other == value { format!("{}1", &value[..value.len() - 1]) } else { other };
        dns.knows(&[(&name, &[&other]), (&name, &["x", &value]), (HOST, &[&value]),
            ("_heliograph.shop.example", &[&value])]).await;
        next_look();
        assert_eq!(verify(&api, ctx, &id).await.1, "RECORD_NOT_FOUND");
        dns.is(&format!("{name}. 60 IN A 192.0.2.1\n")).await;
        next_look();
        assert_eq!(verify(&api, ctx, &id).await.1, "RECORD_NOT_FOUND");
        // Among others, in parts, and more than goes over UDP.
        let long = "x".repeat(250);
        dns.knows(&[(&name, &[&long, &long]), (&name, &[&long]),
            (&name, &[&value[..9], &value[9..]])]).await;
        next_look();
        let (found, code) = verify(&api, ctx, &id).await;
        assert_eq!((&found["status"], code), (&json!("VERIFIED"), Value::Null));
        assert_eq!(found["verifiedAt"], "2026-01-05T00:00:15.000Z");

        // Asked again with the record gone, it stays, for what was sent is to lead on.
        dns.knows(&[]).await;
        next_look();
        assert_eq!(verify(&api, ctx, &id).await.1, "RECORD_NOT_FOUND");
        assert_eq!(read().await["status"], "VERIFIED");
        let list = "{ linkDomains { nodes { id host status } totalCount } }";
        let list = api.data(ctx, list, json!({})).await["linkDomains"].clone();
        assert_eq!(list, json!({ "totalCount": 1,
            "nodes": [{ "id": id, "host": HOST, "status": "VERIFIED" }] }));
    }

    async fn the_record_may_stand_elsewhere(house: TestHouse) {
        let mut house = house;
        let mut dns = Dns::of(&mut house).await;
        let ctx = owner(&house, account(&house, "Acme").await);
        let made = domains::create(&ctx, HOST).await.unwrap();
        let record = domains::verification_record(&ctx.master_key, made.account_id, HOST);
        let zone = format!("{}. 60 IN CNAME proofs.agency.example.\n\
            proofs.agency.example. 60 IN TXT \"{}\"\n", record.name, record.value);
        dns.is(&zone).await;
        let verified = domains::verify(&ctx, made.id).await.unwrap();
        assert_eq!(verified.status, LinkDomainStatus::Verified);
    }

    async fn a_dns_that_does_not_answer_is_told_and_changes_nothing(house: TestHouse) {
        let mut house = house;
        // Nobody listens there.
        house.platform = house.platform_with(|it| it.links.dns_server = "127.0.0.1:1".to_owned());
        let ctx = owner(&house, account(&house, "Acme").await);
        let made = domains::create(&ctx, HOST).await.unwrap();
        let failed = domains::verify(&ctx, made.id).await.unwrap_err();
        assert!(matches!(failed, Error::Rejected(VerifyDomainRejection::DnsUnavailable)), "{failed:?}");
        let read = domains::by_ids(&ctx, &[made.id]).await.unwrap().remove(0);
        assert_eq!((read.status, read.last_checked_at_ms), (LinkDomainStatus::Pending, Some(house.now())));
    }

    async fn a_host_is_one_account_s_at_a_time(house: TestHouse) {
        let mut house = house;
        let mut dns = Dns::of(&mut house).await;
        let mut owners = Vec::new();
        let mut made = Vec::new();
        let mut records = Vec::new();
        for name in ["First", "Second"] {
            let ctx = owner(&house, account(&house, name).await);
            let domain = domains::create(&ctx, HOST).await.unwrap();
            records.push(domains::verification_record(&ctx.master_key, domain.account_id, HOST));
            made.push(domain.id);
            owners.push(ctx);
        }
        assert_ne!(records[0].value, records[1].value, "each account has a record of its own");
        let name = records[0].name.clone();
        let (first, second) = (records[0].value.clone(), records[1].value.clone());
        let verify = |n: usize| domains::verify(&owners[n], made[n]);
        let status = |n: usize| {
            let (ctx, id) = (&owners[n], made[n]);
            async move { domains::by_ids(ctx, &[id]).await.unwrap().remove(0).status }
        };
        let taken = |outcome| matches!(outcome, Err(Error::Rejected(VerifyDomainRejection::HostTaken)));
        use LinkDomainStatus::{Pending, Verified};

        // Both prove it at once: one has it.
        dns.knows(&[(&name, &[&first]), (&name, &[&second])]).await;
        let (one, other) = futures::join!(verify(0), verify(1));
        assert_ne!(one.is_ok(), other.is_ok());
        let (has, wants) = if one.is_ok() { (0, 1) } else { (1, 0) };
        assert!(taken(if has == 0 { other } else { one }));
        assert_eq!((status(has).await, status(wants).await), (Verified, Pending));
        // Its record is there: nobody takes it from it.
        house.hand.advance(Duration::from_secs(5));
        assert!(taken(verify(wants).await));
        // Without it, whoever proves it has it.
        let values = [&first, &second];
        dns.knows(&[(&name, &[values[wants]])]).await;
        house.hand.advance(Duration::from_secs(5));
        verify(wants).await.unwrap();
        assert_eq!((status(has).await, status(wants).await), (Pending, Verified));
        let lost = domains::by_ids(&owners[has], &[made[has]]).await.unwrap().remove(0);
        assert_eq!(lost.verified_at_ms, None);
        assert!(matches!(verify(has).await,
            Err(Error::Rejected(VerifyDomainRejection::RecordNotFound))));
    }

    async fn what_cannot_be_added_is_told_why(house: TestHouse) {
        let mut house = house;
        house.platform = house.platform_with(|it| it.links.base_url = "https://go.example/l".to_owned());
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = owner(&house, account_id);
        for (host, code) in [
            ("", "INVALID_HOST"), ("localhost", "INVALID_HOST"), ("192.0.2.1", "INVALID_HOST"),
            ("https://go.shop.example", "INVALID_HOST"), ("go.shop.example:443", "INVALID_HOST"),
            ("go.example", "HOST_RESERVED"), ("GO.Example.", "HOST_RESERVED"),
        ] {
            let refused = create(&api, &ctx, host).await;
            assert_eq!(refused, json!({ "linkDomain": null,
                "userErrors": [{ "code": code, "path": ["host"] }] }), "{host}");
        }
        let kept = create(&api, &ctx, "b\u{fc}cher.example").await;
        assert_eq!(kept["linkDomain"]["host"], "xn--bcher-kva.example");
        let again = create(&api, &ctx, "xn--bcher-kva.example").await;
        assert_eq!(again["userErrors"][0]["code"], "HOST_TAKEN");
        // What another account has not proved keeps nobody from it.
        let other = owner(&house, account(&house, "Other").await);
        domains::create(&other, "xn--bcher-kva.example").await.unwrap();

        for n in 2..DOMAINS_MAX {
            domains::create(&ctx, &format!("go{n}.shop.example")).await.unwrap();
        }
        // Of two at once for the last place one is refused.
        let hosts = ["one.shop.example", "two.shop.example"];
        let (one, two) =
            futures::join!(create(&api, &ctx, hosts[0]), create(&api, &ctx, hosts[1]));
        let codes = [&one["userErrors"], &two["userErrors"]];
        let refused = codes.iter().filter(|it| it[0]["code"] == "TOO_MANY_LINK_DOMAINS").count();
        assert_eq!(refused, 1, "{codes:?}");
        assert_eq!(domains::count(&ctx).await.unwrap(), DOMAINS_MAX);
    }

    async fn domains_are_their_account_s_and_changed_by_few(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = owner(&house, account_id);
        let made = domains::create(&ctx, HOST).await.unwrap();
        let id = json!({ "id": made.id.to_string() });
        let stranger = owner(&house, account(&house, "Other").await);
        assert_eq!(api.data(&stranger, READ, id.clone()).await["node"], Value::Null);
        assert_eq!(verify(&api, &stranger, &made.id.to_string()).await.1, "LINK_DOMAIN_NOT_FOUND");
        let viewer = person(&house, account_id, Role::Viewer);
        assert_eq!(api.data(&viewer, READ, id.clone()).await["node"]["status"], "PENDING");
        assert_eq!(api.code(&viewer, VERIFY, id).await, "FORBIDDEN");
        let read = domains::by_ids(&ctx, &[made.id]).await.unwrap().remove(0);
        assert_eq!(read.last_checked_at_ms, None, "nobody looked");
    }
}
