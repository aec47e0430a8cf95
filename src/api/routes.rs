//! The routes: one table, which the router is built from and the description of this API (`openapi.json`) is held to.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{self, MethodRouter};

use super::access::{self, RequestedGroup};
use super::errors::ApiError;
use super::exportable::ExportableProject;
use super::{
    App, archive, control, download, git, graphql, groups, health, host, instance, metrics,
    openapi, overview, page, projects, request, status, wikis,
};

/// Whose routes they are: where their paths begin, and who is let through to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    /// GitLab's REST API.
    GitLab,
    /// What GitLab's API does not have.
    Relexport,
    /// GitLab's GraphQL, which tells a wrong token in its own way.
    GraphQl,
    /// What needs no token, because it names no group.
    Open,
    /// The files of the page. They need no token either, and are no part of the API.
    Page,
}

/// What is answered at a path to a method. To HEAD, whatever is answered to GET, without its content.
struct Route {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the handler has it; the tests read it")
    )]
    method: Method,
    /// Below the area's.
    path: &'static str,
    handler: MethodRouter<App>,
}

fn get<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route {
        method: Method::GET,
        path,
        handler: routing::get(handler),
    }
}

fn post<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route {
        method: Method::POST,
        path,
        handler: routing::post(handler),
    }
}

fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route {
        method: Method::DELETE,
        path,
        handler: routing::delete(handler),
    }
}

impl Area {
    /// The path that all paths of the area begin with.
    fn path(self) -> &'static str {
        match self {
            Area::GitLab => "/api/v4",
            Area::Relexport => "/-/relexport",
            Area::GraphQl => "/api",
            Area::Open | Area::Page => "/-",
        }
    }

    fn routes(self) -> Vec<Route> {
        match self {
            Area::GitLab => vec![
                get("/version", instance::version),
                get("/metadata", instance::version),
                get(
                    "/personal_access_tokens/self",
                    instance::personal_access_token,
                ),
                get("/groups", groups::list),
                get("/groups/{id}", groups::one),
                get("/groups/{id}/subgroups", groups::subgroups),
                get("/groups/{id}/badges", groups::badges),
                get("/groups/{id}/wikis", wikis::of_group),
                get("/groups/{id}/projects", projects::of_group),
                get("/projects", projects::all),
                get("/projects/{id}", projects::one),
                get("/projects/{id}/badges", projects::badges),
                get("/projects/{id}/wikis", wikis::of_project),
                post(
                    "/groups/{id}/export_relations",
                    control::start::<RequestedGroup>,
                ),
                get(
                    "/groups/{id}/export_relations/status",
                    status::get::<RequestedGroup>,
                ),
                get(
                    "/groups/{id}/export_relations/download",
                    download::get::<RequestedGroup>,
                ),
                post(
                    "/projects/{id}/export_relations",
                    control::start::<ExportableProject>,
                ),
                get(
                    "/projects/{id}/export_relations/status",
                    status::get::<ExportableProject>,
                ),
                get(
                    "/projects/{id}/export_relations/download",
                    download::get::<ExportableProject>,
                ),
            ],
            Area::Relexport => vec![
                get("/groups", overview::groups),
                get("/groups/{id}", overview::one::<RequestedGroup>),
                post("/groups/{id}/export", control::start_tree::<RequestedGroup>),
                delete("/groups/{id}/export", control::cancel::<RequestedGroup>),
                get("/groups/{id}/archive", archive::get::<RequestedGroup>),
                get("/entities", overview::entities),
                get("/projects/{id}", overview::one::<ExportableProject>),
                post(
                    "/projects/{id}/export",
                    control::start_tree::<ExportableProject>,
                ),
                delete(
                    "/projects/{id}/export",
                    control::cancel::<ExportableProject>,
                ),
                get("/projects/{id}/archive", archive::get::<ExportableProject>),
                get("/snapshot", overview::snapshot),
            ],
            Area::GraphQl => vec![post("/graphql", graphql::post)],
            Area::Open => vec![
                get("/health", health::health),
                get("/readiness", health::readiness),
                get("/metrics", metrics::get),
                get("/openapi.json", openapi::get),
            ],
            Area::Page => vec![get("/page/{name}", page::asset)],
        }
    }

    fn router(self) -> Router<App> {
        let routes = self.routes().into_iter();
        routes.fold(Router::new(), |router, route| {
            let path = format!("{}{}", self.path(), route.path);
            router.route(&path, route.handler)
        })
    }
}

/// All routes, below the relative root.
pub(crate) fn router(app: &App) -> Router {
    let guarded = Router::new()
        .merge(Area::GitLab.router())
        .merge(Area::Relexport.router())
        .layer(from_fn_with_state(app.clone(), access::of_request));
    let graphql = Area::GraphQl
        .router()
        .layer(from_fn_with_state(app.clone(), access::of_graphql));
    let all = guarded
        .merge(graphql)
        .merge(Area::Open.router())
        .merge(Area::Page.router());
    let root = &app.options.relative_url_root;
    let all = match root.is_empty() {
        true => all.route("/", routing::get(page::index)),
        false => Router::new()
            .nest(root, all)
            .route(root, routing::get(page::with_slash))
            .route(&format!("{root}/"), routing::get(page::index)),
    };
    all.fallback(git::or_no_route)
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .layer(from_fn_with_state(app.clone(), host::check))
        .layer(from_fn_with_state(app.clone(), request::log))
        .with_state(app.clone())
}

// The description is written by hand and held to the table, rather than generated from the handlers' types: parameters are
// read by GitLab's rules, one by one, so that no type says which there are; prose and examples would be the larger part
// either way. That each described parameter is read, and no other, a test of the running server sees.
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    const DESCRIBED: [Area; 4] = [Area::GitLab, Area::Relexport, Area::GraphQl, Area::Open];

    /// The routes of the description: path and method, and what is said of them.
    fn described() -> BTreeMap<(String, Method), Value> {
        let description: Value = serde_json::from_str(openapi::DESCRIPTION).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let mut all = BTreeMap::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                let method = method.to_ascii_uppercase().parse().unwrap();
                all.insert((path.clone(), method), resolved(operation, &description));
            }
        }
        all
    }

    /// The operation with its parameters in place of references to them.
    fn resolved(operation: &Value, description: &Value) -> Value {
        let mut operation = operation.clone();
        for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
            if let Some(reference) = parameter["$ref"].as_str() {
                let place = reference.strip_prefix('#').unwrap();
                *parameter = description.pointer(place).unwrap().clone();
            }
        }
        operation
    }

    /// The routes of the table: path and method, and their area.
    fn served() -> BTreeMap<(String, Method), Area> {
        let areas = DESCRIBED.into_iter().map(|area| (area, area.routes()));
        areas
            .flat_map(|(area, routes)| {
                routes.into_iter().map(move |route| {
                    let path = format!("{}{}", area.path(), route.path);
                    ((path, route.method), area)
                })
            })
            .collect()
    }

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let served: Vec<_> = served().into_keys().collect();
        let described: Vec<_> = described().into_keys().collect();
        assert_eq!(described, served);
    }

    #[test]
    fn the_description_names_the_parameters_of_paths() {
        for ((path, method), operation) in described() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named: Vec<&str> = parameters
                .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            let of_path: Vec<&str> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(named, of_path, "{method} {path}");
        }
    }

    #[test]
    fn the_description_says_what_is_answered_before_a_route_is_reached() {
        let described = described();
        for (route, area) in served() {
            let operation = &described[&route];
            // A foreign page is refused everywhere.
            let mut answers = vec!["403"];
            let is_open = area == Area::Open;
            if !is_open {
                // The token, and a query that cannot be read.
                answers.extend(["400", "401"]);
            }
            if route.0.contains("{id}") {
                // There is no such group, and none is known yet.
                answers.extend(["404", "503"]);
            }
            for answer in answers {
                assert!(
                    operation["responses"][answer].is_object(),
                    "{route:?} {answer}"
                );
            }
            let needs_no_token = operation["security"] == Value::Array(Vec::new());
            assert_eq!(needs_no_token, is_open, "{route:?}");
        }
    }
}
