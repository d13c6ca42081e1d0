//! The rules: each reads one file and names its faults, and brings samples of what it must catch
//! and of what it must let pass.

use super::layers;
use super::paths::{code_only, paths_from};

/// A file under the rules.
pub(super) struct SourceFile {
    /// From the repository's root, with `/`.
    pub(super) path: String,
    text: String,
    /// Without comments and literals.
    code: String,
}

impl SourceFile {
    pub(super) fn new(path: String, text: &str) -> Self {
        Self { path, text: text.to_owned(), code: code_only(text) }
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// The module right below `src`; `None` for files outside it.
    fn module(&self) -> Option<&str> {
        let path = self.path.strip_prefix("src/")?;
        let first = path.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first))
    }

    /// The code before the file's own tests, which may reach for more.
    fn code_without_tests(&self) -> &str {
        self.code.split("#[cfg(test)]").next().unwrap_or_default()
    }

    fn names(&self, root: &str) -> bool {
        !paths_from(&self.code, root).is_empty()
    }
}

/// A path and the text of a file there.
type Sample = (&'static str, &'static str);

/// One rule.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) check: fn(&SourceFile) -> Vec<String>,
    pub(super) breaches: &'static [Sample],
    pub(super) allowed: &'static [Sample],
}

/// Lines of a file, after which it is split.
const LINES_MAX: usize = 500;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "imports go down",
        check: imports_go_down,
        breaches: &[
            ("src/types/phone.rs", "use crate::db::Db;"),
            ("src/db/mod.rs", "fn f() { crate::messages::send() }"),
            ("src/identity/mod.rs", "use crate::{\n  ctx::Ctx,\n  messages::{self, send},\n};"),
            ("src/messages/mod.rs", "use crate::identity::store::find;"),
            ("src/graphql/mod.rs", "use super::super::cli::run; use crate::cli;"),
        ],
        allowed: &[
            ("src/messages/mod.rs", "use crate::{carriers::Carrier, routing, db::Db};"),
            ("src/identity/commands.rs", "use crate::identity::store; use super::store::find;"),
            ("src/types/phone.rs", "//! Not crate::db::Db.\nconst A: &str = \"crate::db\";"),
        ],
    },
    Rule {
        name: "leaf crates import nothing of ours",
        check: leaves_stand_alone,
        breaches: &[
            ("entity/src/message.rs", "use heliograph::types::Phone;"),
            ("entity/src/message.rs", "use migration::Migrator;"),
            ("migration/src/lib.rs", "use entity::message;"),
            ("migration/src/lib.rs", "use heliograph_entity::message;"),
        ],
        allowed: &[
            ("entity/src/message.rs", "use sea_orm::entity::prelude::*; use crate::ids::Id;"),
            ("src/db/mod.rs", "use entity::message;"),
        ],
    },
    Rule {
        name: "libraries stay in their place",
        check: libraries_stay_in_place,
        breaches: &[
            ("src/messages/mod.rs", "use async_graphql::Enum;"),
            ("src/identity/mod.rs", "#[derive(async_graphql::Enum)] enum A {}"),
            ("src/graphql/mod.rs", "use axum::Router;"),
            ("src/payments/mod.rs", "use async_stripe::Client;"),
            ("src/http/hooks.rs", "use stripe_billing::Invoice;"),
            ("entity/src/lib.rs", "use async_graphql::Enum;"),
        ],
        allowed: &[
            ("src/graphql/mod.rs", "use async_graphql::Schema;"),
            ("src/http/mod.rs", "use async_graphql::Executor; use axum::Router;"),
            ("src/payments/stripe/client.rs", "use async_stripe::Client;"),
        ],
    },
    Rule {
        name: "transactions begin in db",
        check: transactions_begin_in_db,
        breaches: &[
            ("src/messages/commands.rs", "let tx = db.begin().await?;"),
            ("src/events/log.rs", "db.transaction(|t| async {})"),
            ("src/jobs/mod.rs", "TransactionTrait::begin_with_options(&db, o)"),
            ("tests/it/identity.rs", "db\n    .transaction_with_config::<_, _, E>(f)"),
            (
                "src/events/log.rs",
                "db.execute_unprepared(sql).await; let x = db.begin_with_config();",
            ),
        ],
        allowed: &[
            ("src/db/transaction.rs", "self.writer.begin_with_options(options)"),
            (
                "src/messages/commands.rs",
                "ctx.db.write(|tx| async move {}); rows.begins(); beginning()",
            ),
        ],
    },
    Rule {
        name: "identity alone reaches across accounts for a caller",
        check: reach_across_accounts,
        breaches: &[
            ("src/messages/queries.rs", "ctx.db_of_platform().reader()"),
            ("src/graphql/messages/queries.rs", "ctx\n    .db_of_platform()"),
            ("src/app.rs", "Ctx::db_of_platform(&ctx)"),
        ],
        allowed: &[
            ("src/identity/queries.rs", "ctx.db_of_platform().reader()"),
            ("src/ctx.rs", "pub fn db_of_platform(&self) -> &Db { &self.platform.db }"),
            ("src/messages/queries.rs", "ctx.db.reader() // not db_of_platform()"),
        ],
    },
    Rule {
        name: "a file says what it is",
        check: opens_with_what_it_is,
        breaches: &[
            ("src/db/mod.rs", "use a::b;\n//! Late."),
            ("tests/it/main.rs", "// Not a module's comment."),
            ("src/db/mod.rs", ""),
        ],
        allowed: &[("src/db/mod.rs", "//! The store.\nuse a::b;")],
    },
    Rule {
        name: "a file is short",
        check: is_short,
        breaches: &[("src/db/mod.rs", LONG_FILE)],
        allowed: &[("src/db/mod.rs", "//! Short.\n"), ("tests/it/db.rs", LONG_FILE)],
    },
    Rule {
        name: "lints are expected, not allowed",
        check: nothing_is_allowed,
        breaches: &[
            ("src/db/mod.rs", "#[allow(dead_code)]"),
            ("tests/it/main.rs", "#![allow(clippy::all)]"),
            ("src/db/mod.rs", "#[cfg_attr(test, allow(unused))]"),
        ],
        allowed: &[("src/db/mod.rs", "#[expect(dead_code, reason = \"…\")] // #[allow(x)]")],
    },
    Rule {
        name: "logs name no secrets",
        check: logs_name_no_secrets,
        breaches: &[
            ("src/messages/mod.rs", "tracing::info!(text, \"sent\");"),
            ("src/messages/mod.rs", "tracing::info!(message.text = %body.0, \"sent\");"),
            ("src/identity/mod.rs", "tracing::warn!(?token, \"odd\");"),
            (
                "src/identity/mod.rs",
                "tracing::debug!(\n  a = 1,\n  person.email = email,\n  \"b\");",
            ),
            ("src/identity/mod.rs", "let s = tracing::info_span!(\"x\", api_key = %key);"),
            ("src/carriers/mod.rs", "warn!(to = %recipient, \"refused\");"),
            ("src/identity/mod.rs", "#[tracing::instrument]\nfn f(password: &str) {}"),
            ("src/identity/mod.rs", "#[instrument(skip(a))]\nfn f(password: &str) {}"),
        ],
        allowed: &[
            ("src/messages/mod.rs", "tracing::info!(message.id = %id, \"its text is long\");"),
            ("src/messages/mod.rs", "println!(\"{text}\"); let text = token(email);"),
            (
                "src/identity/mod.rs",
                "tracing::info!(api_key.id = %key.id, lease.token = 1, \"x\");",
            ),
            ("tests/it/a.rs", "tracing::info!(text, \"a test's own\");"),
        ],
    },
    Rule {
        name: "no buckets",
        check: is_no_bucket,
        breaches: &[("src/utils.rs", ""), ("src/db/helpers/mod.rs", ""), ("src/x/common.rs", "")],
        allowed: &[("src/messages/model.rs", "")],
    },
];

/// One line too many.
const LONG_FILE: &str = {
    const BYTES: [u8; LINES_MAX + 1] = [b'\n'; LINES_MAX + 1];
    match str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("line feeds are UTF-8"),
    }
};

fn imports_go_down(file: &SourceFile) -> Vec<String> {
    let Some(module) = file.module() else { return Vec::new() };
    let paths = paths_from(file.code_without_tests(), "crate");
    paths.iter().filter_map(|path| layers::fault(module, path)).collect()
}

fn leaves_stand_alone(file: &SourceFile) -> Vec<String> {
    let ours = ["heliograph", "entity", "migration", "heliograph_entity", "heliograph_migration"];
    let leaf = if file.is_in(&["entity/"]) {
        "entity"
    } else if file.is_in(&["migration/"]) {
        "migration"
    } else {
        return Vec::new();
    };
    let named = ours.iter().filter(|name| **name != leaf && file.names(name));
    named.map(|name| format!("{leaf} names {name}")).collect()
}

/// Crates by the beginning of their name, and where they may be used.
const PLACES: &[(&str, &[&str])] = &[
    ("async_graphql", &["src/graphql/", "src/http/", "tests/"]),
    ("axum", &["src/http/", "tests/", "benches/"]),
    ("async_stripe", &["src/payments/stripe/"]),
    ("stripe_", &["src/payments/stripe/", "tests/it/payments/"]),
];

fn libraries_stay_in_place(file: &SourceFile) -> Vec<String> {
    let mut faults = Vec::new();
    for (library, places) in PLACES {
        if !file.is_in(places) && mentions(&file.code, library) {
            faults.push(format!("{library} belongs in {}", places.join(", ")));
        }
    }
    faults
}

/// Whether a name that begins with `library` starts a path somewhere.
fn mentions(code: &str, library: &str) -> bool {
    code.match_indices(library).any(|(at, _)| {
        let name_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = code[at..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        let ends_name = library.ends_with('_') || code[at + library.len()..].len() == rest.len();
        name_start && ends_name && rest.starts_with("::")
    })
}

fn transactions_begin_in_db(file: &SourceFile) -> Vec<String> {
    if file.is_in(&["src/db/", "migration/"]) {
        return Vec::new();
    }
    let starters = [
        "begin",
        "begin_with_config",
        "begin_with_options",
        "transaction",
        "transaction_async",
        "transaction_with_config",
        "transaction_with_options",
    ];
    let called = starters.iter().filter(|starter| is_called(&file.code, starter));
    called.map(|starter| format!("{starter}() is called outside src/db")).collect()
}

fn reach_across_accounts(file: &SourceFile) -> Vec<String> {
    let may = !file.path.starts_with("src/") || file.is_in(&["src/identity/", "src/ctx.rs"]);
    let does = !may && file.code.contains("db_of_platform");
    does.then(|| "db_of_platform() is for identity: use ctx.db".to_owned()).into_iter().collect()
}

/// Whether `name` is called as a method, or through its trait.
fn is_called(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end();
        let after = code[at + name.len()..].trim_start();
        let is_whole = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            && (before.ends_with('.') || before.ends_with("TransactionTrait::"));
        // `begin(what)` is a method of ours; the one that begins a transaction takes nothing.
        let call = if name == "begin" { "()" } else { "(" };
        is_whole && (after.starts_with(call) || after.starts_with("::<"))
    })
}

fn opens_with_what_it_is(file: &SourceFile) -> Vec<String> {
    if file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec!["its first line is not `//! …`".to_owned()]
}

fn is_short(file: &SourceFile) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= LINES_MAX || !file.is_in(&["src/", "entity/", "migration/"]) {
        return Vec::new();
    }
    vec![format!("{lines} lines, of at most {LINES_MAX}")]
}

fn nothing_is_allowed(file: &SourceFile) -> Vec<String> {
    let attributes = file.code.match_indices("#[").chain(file.code.match_indices("#!["));
    let allowing = attributes.filter(|(at, _)| {
        let attribute = file.code[*at..].split(']').next().unwrap_or_default();
        attribute.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "allow")
    });
    allowing.map(|_| "an #[allow(…)]: use #[expect(…, reason = …)]".to_owned()).collect()
}

/// Last parts of field names that would put a person's data or a secret into a log or a trace.
const SECRET_FIELDS: &[&str] = &[
    "api_key",
    "authorization",
    "body",
    "credential",
    "email",
    "from",
    "msisdn",
    "password",
    "phone",
    "recipient",
    "refresh_token",
    "secret",
    "sender",
    "text",
    "to",
    "token",
];

/// Fields that end like a secret and are none: the lease's token is a number that fences.
const HARMLESS_FIELDS: &[&str] = &["lease.token"];

const LOG_MACROS: &[&str] = &[
    "trace!(",
    "debug!(",
    "info!(",
    "warn!(",
    "error!(",
    "event!(",
    "span!(",
    "trace_span!(",
    "debug_span!(",
    "info_span!(",
    "warn_span!(",
    "error_span!(",
];

fn logs_name_no_secrets(file: &SourceFile) -> Vec<String> {
    if !file.is_in(&["src/"]) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    // It logs every argument that it is not told to skip.
    if file.code.contains("instrument]") || file.code.contains("instrument(skip") {
        faults.push("#[instrument] logs arguments: open a span with named fields".to_owned());
    }
    for name in LOG_MACROS {
        for (at, _) in file.code.match_indices(name) {
            // `info_span!(` ends with `span!(`: each is looked at under its whole name.
            if !file.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                faults.extend(secret_fields(&file.code[at + name.len()..]));
            }
        }
    }
    faults
}

/// The secrets among the fields of a log macro, whose arguments `arguments` begins with.
fn secret_fields(arguments: &str) -> Vec<String> {
    let mut depth = 0i32;
    let is_end = |c: char| {
        depth += match c {
            '(' | '[' | '{' => 1,
            ')' | ']' | '}' => -1,
            _ => 0,
        };
        depth < 0 || (depth == 0 && c == ',')
    };
    let all = top_level_arguments(arguments, is_end);
    let fields = all.iter().map(|argument| {
        let field = argument.split('=').next().unwrap_or_default();
        field.trim().trim_start_matches(['%', '?'])
    });
    let secret = fields.filter(|field| {
        let last = field.rsplit('.').next().unwrap_or_default();
        SECRET_FIELDS.contains(&last) && !HARMLESS_FIELDS.contains(field)
    });
    secret.map(|field| format!("a log line or span has the field {field}")).collect()
}

/// Cuts at the commas that `is_end` sees, up to the parenthesis that closes the macro.
fn top_level_arguments(text: &str, mut is_end: impl FnMut(char) -> bool) -> Vec<&str> {
    let mut arguments = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        if is_end(c) {
            arguments.push(&text[start..at]);
            start = at + 1;
            if c != ',' {
                break;
            }
        }
    }
    arguments
}

fn is_no_bucket(file: &SourceFile) -> Vec<String> {
    let buckets = ["utils", "util", "common", "helpers", "misc", "models"];
    let segments = file.path.split('/').map(|segment| segment.trim_end_matches(".rs"));
    segments
        .filter(|segment| buckets.contains(segment))
        .map(|segment| format!("{segment} names no part of the domain"))
        .collect()
}
