//! Pages of lists.

/// The most rows that a page of a list reads where no index leads to the wanted ones.
pub const WINDOW: i64 = 10_000;

/// A page of rows and where the next one begins.
#[derive(Debug, serde::Serialize)]
pub struct Page<T> {
    /// The rows, at most as many as were asked for, in the list's order.
    pub items: Vec<T>,
    /// The cursor for the rows after these; none on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` rows; the extra row only shows that there is a next page.
    pub fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(cursor) } else { None };
        Self { items, next_cursor }
    }
}
