//! The routes in memory: a trie of digits, made once and then only read.

use entity::enums::{CarrierKind, MessageClass};
use entity::ids::{AccountId, CarrierId, RouteId};
use entity::{carrier, route};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::backlog::Backlog;
use crate::types::sms_text::NationalLanguages;

/// Stands for "no child"; the root is nobody's child.
const NONE: u32 = 0;

/// What a route says about the messages that take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteChoice {
    /// Who carries them.
    pub carrier_id: CarrierId,
    /// Which route it is; none for the simulator's.
    pub route_id: Option<RouteId>,
    /// Whose shift tables their texts may be written with.
    pub national_languages: NationalLanguages,
}

impl From<CarrierId> for RouteChoice {
    /// Without a route of its own, and without national tables.
    fn from(carrier_id: CarrierId) -> Self {
        Self { carrier_id, route_id: None, national_languages: NationalLanguages::NONE }
    }
}

/// An immutable table of routes. [`choose`](Self::choose) takes at most 15 steps.
#[derive(Clone, Debug)]
pub struct RouteTable {
    /// The first is the root.
    nodes: Vec<Node>,
    backlog: Backlog,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// By digit, the place of the child in `nodes`.
    children: [u32; 10],
    choice: Option<RouteChoice>,
}

impl Default for RouteTable {
    /// No routes.
    fn default() -> Self {
        Self { nodes: vec![Node::default()], backlog: Backlog::default() }
    }
}

impl RouteTable {
    /// Reads the routes of all enabled carriers. Two statements.
    ///
    /// # Errors
    /// The store's own.
    pub async fn load<C: ConnectionTrait>(connection: &C) -> Result<Self, DbErr> {
        let enabled: Vec<CarrierId> = carrier::Entity::find()
            .select_only()
            .column(carrier::Column::Id)
            .filter(carrier::Column::Enabled.eq(true))
            .filter(carrier::Column::Kind.ne(CarrierKind::Simulator))
            .into_tuple()
            .all(connection)
            .await?;
        let routes: Vec<(String, CarrierId, RouteId, i16)> = route::Entity::find()
            .select_only()
            .columns([
                route::Column::Prefix,
                route::Column::CarrierId,
                route::Column::Id,
                route::Column::NationalLanguages,
            ])
            .filter(route::Column::CarrierId.is_in(enabled))
            .into_tuple()
            .all(connection)
            .await?;
        Ok(Self::new(routes.iter().map(|(prefix, carrier_id, id, languages)| {
            let national_languages = NationalLanguages::from_bits(*languages);
            let (carrier_id, route_id) = (*carrier_id, Some(*id));
            (prefix.as_str(), RouteChoice { carrier_id, route_id, national_languages })
        })))
    }

    /// A table of these prefixes, digits each; a later one replaces an equal earlier one.
    pub fn new<'a>(routes: impl IntoIterator<Item = (&'a str, RouteChoice)>) -> Self {
        let mut table = Self::default();
        for (prefix, choice) in routes {
            table.insert(prefix, choice);
        }
        table
    }

    /// What the route of the longest prefix of `digits` (E.164 without the plus sign) says.
    pub fn choose(&self, digits: &str) -> Option<RouteChoice> {
        let mut node = &self.nodes[0];
        let mut chosen = node.choice;
        for byte in digits.bytes() {
            let Some(digit) = digit(byte) else { break };
            let child = node.children[digit];
            if child == NONE {
                break;
            }
            node = &self.nodes[child as usize];
            chosen = node.choice.or(chosen);
        }
        chosen
    }

    /// The same table, beside these estimates of the carriers' queues.
    pub(super) fn beside(self, backlog: Backlog) -> Self {
        Self { backlog, ..self }
    }

    /// How long a new message of the account would wait in the carrier's queue before it leaves, in
    /// milliseconds, by an estimate that is some seconds old; `None` if nobody can tell.
    pub fn wait_ms(
        &self,
        carrier_id: CarrierId,
        class: MessageClass,
        account_id: AccountId,
    ) -> Option<i64> {
        self.backlog.wait_ms(carrier_id, class, account_id)
    }

    fn insert(&mut self, prefix: &str, choice: RouteChoice) {
        let mut at = 0;
        for digit in prefix.bytes().filter_map(digit) {
            let mut child = self.nodes[at].children[digit];
            if child == NONE {
                child = u32::try_from(self.nodes.len()).expect("ROUTES_MAX prefixes of 15 digits");
                self.nodes.push(Node::default());
                self.nodes[at].children[digit] = child;
            }
            at = child as usize;
        }
        self.nodes[at].choice = Some(choice);
    }
}

fn digit(byte: u8) -> Option<usize> {
    byte.is_ascii_digit().then(|| usize::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn carrier(n: u128) -> RouteChoice {
        CarrierId(Uuid::from_u128(n)).into()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = RouteTable::new([
            ("44", carrier(1)),
            ("4477", carrier(2)),
            ("447700900123", carrier(3)),
            ("1", carrier(4)),
        ]);
        for (digits, chosen) in [
            ("442071234567", Some(1)),
            ("447712345678", Some(2)),
            ("447700900123", Some(3)),
            ("447700900124", Some(2)),
            ("12025550123", Some(4)),
            ("4", None),
            ("4915112345678", None),
            ("", None),
        ] {
            assert_eq!(table.choose(digits), chosen.map(carrier), "{digits}");
        }
    }

    #[test]
    fn the_empty_prefix_takes_the_rest() {
        let table = RouteTable::new([("", carrier(9)), ("44", carrier(1))]);
        assert_eq!(table.choose("4915112345678"), Some(carrier(9)));
        assert_eq!(table.choose("447712345678"), Some(carrier(1)));
        assert_eq!(RouteTable::default().choose("447712345678"), None);
    }
}
