//! The layers of `src`, from the base up, and who may import whom.

/// How high a module stands; imports go to a lower layer, or within a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Pure types, time, chance, errors, settings.
    Base,
    /// The parts that every command uses. They may use each other.
    Platform,
    /// What the business is made of. They do not know each other.
    Domain,
    /// What ties the domains together.
    Orchestrator,
    /// What is above the single use case.
    Composer,
    /// How the outside comes in. They may use each other.
    Edge,
    /// Puts everything together.
    Root,
}

const LAYERS: &[(Layer, &[&str])] = &[
    (Layer::Base, &["types", "sys", "error", "config", "mail"]),
    (Layer::Platform, &["ctx", "authz", "db", "events", "jobs", "keys", "telemetry"]),
    (
        Layer::Domain,
        &["identity", "contacts", "billing", "routing", "senders", "carriers", "links"],
    ),
    (Layer::Orchestrator, &["messages", "payments"]),
    (Layer::Composer, &["campaigns", "privacy", "rollups"]),
    (Layer::Edge, &["graphql", "http"]),
    (Layer::Root, &["app", "cli", "lib", "main"]),
];

fn layer_of(module: &str) -> Option<Layer> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

/// Why a file of `from` may not name `path` (segments after `crate::`); `None` if it may.
pub(super) fn fault(from: &str, path: &[String]) -> Option<String> {
    let to = path.first()?.as_str();
    if from == to {
        return None;
    }
    let Some(from_layer) = layer_of(from) else {
        return Some(format!("{from} has no layer: name it in tests/it/architecture/layers.rs"));
    };
    let Some(to_layer) = layer_of(to) else {
        return Some(format!(
            "crate::{to} has no layer: name it in tests/it/architecture/layers.rs"
        ));
    };
    if path.get(1).is_some_and(|module| module == "store") {
        return Some(format!("{from} reaches into the private store of {to}"));
    }
    let peers_may = matches!(from_layer, Layer::Base | Layer::Platform | Layer::Edge | Layer::Root);
    if to_layer < from_layer || (to_layer == from_layer && peers_may) {
        return None;
    }
    Some(format!("{from} ({from_layer:?}) imports {to} ({to_layer:?})"))
}

#[test]
fn imports_go_down() {
    let fault = |from: &str, path: &str| {
        let path: Vec<String> = path.split("::").map(str::to_owned).collect();
        fault(from, &path).is_some()
    };
    for (from, path) in [
        ("types", "db::Db"),
        ("db", "identity::Session"),
        ("identity", "messages::send"),
        ("identity", "routing::choose"),
        ("carriers", "identity::Session"),
        ("carriers", "http::serve"),
        ("messages", "graphql::schema"),
        ("messages", "payments::pay"),
        ("messages", "identity::store::find"),
        ("graphql", "messages::store::insert"),
        ("graphql", "cli::run"),
        ("identity", "app::App"),
        ("unheard_of", "db::Db"),
        ("messages", "unheard_of::Thing"),
    ] {
        assert!(fault(from, path), "{from} → {path} passed");
    }
    for (from, path) in [
        ("identity", "identity::store::find"),
        ("messages", "carriers::Carrier"),
        ("messages", "routing::choose"),
        ("graphql", "http::Sse"),
        ("http", "graphql::schema"),
        ("cli", "app::App"),
        ("events", "db::Tx"),
        ("config", "error::Failed"),
    ] {
        assert!(!fault(from, path), "{from} → {path} did not pass");
    }
}
