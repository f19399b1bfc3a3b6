//! Plain tables: the same on a terminal and in a pipe.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

const WIDTH: u16 = 110;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table.
pub(super) fn new<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header);
    table
}
