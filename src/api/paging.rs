//! Pages of lists, with GitLab's headers.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::errors::ApiError;
use super::params::Params;

/// Rows of a page where nothing is said, and at the most.
const PER_PAGE: usize = 20;
const MOST: usize = 100;
/// Of longer lists GitLab does not say how long they are.
const COUNTED: usize = 10_000;

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    number: usize,
    per_page: usize,
}

impl Page {
    /// The page that the parameters name.
    ///
    /// # Errors
    /// 400 for numbers below 1 and for what is no number.
    pub(crate) fn of(params: &Params) -> Result<Page, ApiError> {
        let number = |name, usual: usize| match params.integer(name)? {
            None => Ok(usual),
            Some(number) => usize::try_from(number)
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| {
                    ApiError::bad_parameter(format!("{name} does not have a valid value"))
                }),
        };
        Ok(Page {
            number: number("page", 1)?,
            per_page: number("per_page", PER_PAGE)?.min(MOST),
        })
    }

    /// The rows of the page, of all.
    pub(crate) fn cut<T>(self, all: Vec<T>) -> Vec<T> {
        let skipped = (self.number - 1).saturating_mul(self.per_page);
        all.into_iter().skip(skipped).take(self.per_page).collect()
    }

    /// Answers with the page's rows, of so many. `address` is the request's without its query.
    pub(crate) fn answer(
        self,
        rows: &impl Serialize,
        total: usize,
        address: &str,
        params: &Params,
    ) -> Response {
        (self.headers(total, address, params), Json(rows)).into_response()
    }

    fn headers(self, total: usize, address: &str, params: &Params) -> HeaderMap {
        let pages = total.div_ceil(self.per_page).max(1);
        let next = (self.number < pages).then_some(self.number + 1);
        let previous = (self.number > 1).then(|| (self.number - 1).min(pages));
        let text = |page: Option<usize>| page.map(|page| page.to_string()).unwrap_or_default();
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: String| {
            // Numbers and addresses that this program encoded are plain ASCII.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-page", self.number.to_string());
        set("x-per-page", self.per_page.to_string());
        set("x-next-page", text(next));
        set("x-prev-page", text(previous));
        let is_counted = total <= COUNTED;
        if is_counted {
            set("x-total", total.to_string());
            set("x-total-pages", pages.to_string());
        }
        let link = |page: usize, relation: &str| {
            let query = params.query_with(&[
                ("page", page.to_string()),
                ("per_page", self.per_page.to_string()),
            ]);
            format!("<{address}?{query}>; rel=\"{relation}\"")
        };
        let links = [
            previous.map(|page| link(page, "prev")),
            next.map(|page| link(page, "next")),
            Some(link(1, "first")),
            is_counted.then(|| link(pages, "last")),
        ];
        let links: Vec<String> = links.into_iter().flatten().collect();
        set("link", links.join(", "));
        headers
    }
}
