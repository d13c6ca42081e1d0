//! Routes in the contract. Behaviour: `crate::routing`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::route::Model;

use super::call;
use super::carriers::Carrier;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::{Answer, user_error, value_or_rejection};
use super::ids::{parse_id, show_id};
use super::loaders::{CarrierRow, load};
use super::messages::enums::NationalLanguage;
use super::scalars::{Cursor, DateTime};
use crate::routing::{self, CreateRejection, DeleteRejection, NewRoute, UpdateRejection};
use crate::types::cursor::CursorKind;
use crate::types::sms_text::NationalLanguages;

/// A route.
#[derive(Clone, Debug)]
pub struct Route(pub Model);

/// Which carrier the numbers with a prefix go to. The longest matching prefix wins; the routes of a
/// disabled carrier do not count. Read by the operator's staff.
#[Object]
impl Route {
    /// The route's id, `route_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The prefix: a plus sign and 0 to 15 digits; `+` alone stands for all numbers.
    async fn prefix(&self) -> String {
        format!("+{}", self.0.prefix)
    }

    /// Where the route leads.
    async fn carrier(&self, context: &Context<'_>) -> Answer<Option<Carrier>> {
        Ok(load(context, CarrierRow(self.0.carrier_id)).await?.map(Carrier))
    }

    /// The languages, at most three, whose shift tables texts may be written with, where that
    /// makes fewer parts than `UCS2`.
    async fn national_languages(&self) -> Vec<NationalLanguage> {
        NationalLanguages::from_bits(self.0.national_languages).iter().map(Into::into).collect()
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct RoutesQuery;

#[Object]
impl RoutesQuery {
    /// All routes, in the order of their prefixes. For the operator's staff.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn routes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Route>> {
        let ctx = call(context)?;
        let kind = CursorKind::Routes;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = routing::page(ctx, &request).await?;
        let total =
            if wants_total_count(context) { Some(routing::count(ctx).await?) } else { None };
        let page = page.map(|row| (row.prefix.clone(), Route(row)));
        Ok(Connection::new(kind, page, total))
    }
}

/// What `createRoute` takes.
#[derive(InputObject, Debug)]
pub struct CreateRouteInput {
    /// The prefix: a plus sign and 0 to 15 digits, `+44`; `+` alone stands for all numbers.
    pub prefix: String,
    /// Where it leads, `carr_…`: any carrier but the built-in simulator.
    pub carrier_id: ID,
    /// The languages whose shift tables texts may be written with. Name those alone that the
    /// carrier passes on, and phones in its countries read.
    #[graphql(default)]
    pub national_languages: Vec<NationalLanguage>,
}

/// What `createRoute` answers.
#[derive(SimpleObject)]
pub struct CreateRoutePayload {
    /// The new route; null if it was not made.
    route: Option<Route>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateRouteError>,
}

user_error! {
    /// Why a route was not made.
    CreateRouteError,
    /// Why a route was not made, for a program to read.
    CreateRouteErrorCode {
        /// It is not a plus sign and at most 15 digits.
        InvalidPrefix,
        /// There is a route for this prefix: delete it first.
        PrefixTaken,
        /// There is no such carrier to route to.
        CarrierNotFound,
        /// There are as many routes as there may be: 20,000.
        TooManyRoutes,
    }
}

/// What `updateRoute` takes.
#[derive(InputObject, Debug)]
pub struct UpdateRouteInput {
    /// The route, `route_…`.
    pub route_id: ID,
    /// The languages whose shift tables texts may be written with, in place of those named before.
    pub national_languages: Vec<NationalLanguage>,
}

/// What `updateRoute` answers.
#[derive(SimpleObject)]
pub struct UpdateRoutePayload {
    /// The route as it is now; null if it was not changed.
    route: Option<Route>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdateRouteError>,
}

user_error! {
    /// Why a route was not changed.
    UpdateRouteError,
    /// Why a route was not changed, for a program to read.
    UpdateRouteErrorCode {
        /// There is no such route.
        RouteNotFound,
    }
}

/// What `deleteRoute` takes.
#[derive(InputObject, Debug)]
pub struct DeleteRouteInput {
    /// The route, `route_…`.
    pub route_id: ID,
}

/// What `deleteRoute` answers.
#[derive(SimpleObject)]
pub struct DeleteRoutePayload {
    /// The id of the route that is gone; null if none was deleted.
    deleted_route_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteRouteError>,
}

user_error! {
    /// Why a route was not deleted.
    DeleteRouteError,
    /// Why a route was not deleted, for a program to read.
    DeleteRouteErrorCode {
        /// There is no such route.
        RouteNotFound,
    }
}

/// Writes.
#[derive(Default)]
pub struct RoutesMutation;

#[Object]
impl RoutesMutation {
    /// Leads the numbers with a prefix to a carrier, for messages that are accepted from then on
    /// (on other nodes within a second). For the operator's owners and admins. Not idempotent: a
    /// second route for the prefix answers `PREFIX_TAKEN` and changes nothing.
    async fn create_route(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "From where to where.")] input: CreateRouteInput,
    ) -> Answer<CreateRoutePayload> {
        let carrier_id = parse_id(&input.carrier_id)?;
        let national_languages = languages(input.national_languages);
        let route = NewRoute { prefix: &input.prefix, carrier_id, national_languages };
        let outcome = routing::create(call(context)?, route).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => CreateRoutePayload { route: Some(Route(row)), user_errors: Vec::new() },
            Err(rejection) => {
                CreateRoutePayload { route: None, user_errors: vec![create_error(rejection)] }
            }
        })
    }

    /// Changes whose shift tables the texts on a route may be written with, for messages that are
    /// accepted from then on (on other nodes within a second). For the operator's owners and
    /// admins. Idempotent.
    async fn update_route(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which route, and what is to change.")] input: UpdateRouteInput,
    ) -> Answer<UpdateRoutePayload> {
        let id = parse_id(&input.route_id)?;
        let national_languages = languages(input.national_languages);
        let outcome = routing::update(call(context)?, id, national_languages).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => UpdateRoutePayload { route: Some(Route(row)), user_errors: Vec::new() },
            Err(UpdateRejection::NotFound) => UpdateRoutePayload {
                route: None,
                user_errors: vec![UpdateRouteError::new(
                    UpdateRouteErrorCode::RouteNotFound,
                    &["routeId"],
                    "there is no such route",
                )],
            },
        })
    }

    /// Deletes a route. Messages that were accepted keep their carrier. For the operator's owners
    /// and admins. Idempotent, but that a second time answers `ROUTE_NOT_FOUND`.
    async fn delete_route(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which route.")] input: DeleteRouteInput,
    ) -> Answer<DeleteRoutePayload> {
        let outcome = routing::delete(call(context)?, parse_id(&input.route_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(id) => {
                DeleteRoutePayload { deleted_route_id: Some(show_id(id)), user_errors: Vec::new() }
            }
            Err(DeleteRejection::NotFound) => DeleteRoutePayload {
                deleted_route_id: None,
                user_errors: vec![DeleteRouteError::new(
                    DeleteRouteErrorCode::RouteNotFound,
                    &["routeId"],
                    "there is no such route",
                )],
            },
        })
    }
}

fn languages(named: Vec<NationalLanguage>) -> NationalLanguages {
    named.into_iter().map(Into::into).collect()
}

fn create_error(rejection: CreateRejection) -> CreateRouteError {
    use CreateRouteErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        CreateRejection::InvalidPrefix => (Code::InvalidPrefix, &["prefix"]),
        CreateRejection::PrefixTaken => (Code::PrefixTaken, &["prefix"]),
        CreateRejection::NoSuchCarrier => (Code::CarrierNotFound, &["carrierId"]),
        CreateRejection::TooMany => (Code::TooManyRoutes, &[]),
    };
    CreateRouteError::new(code, path, rejection)
}
