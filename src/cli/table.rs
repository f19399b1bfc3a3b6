//! Plain tables, as wide as the terminal.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use terminal_size::{Width, terminal_size};

/// Where there is no terminal to ask.
const DEFAULT_WIDTH: u16 = 110;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table.
pub(super) fn new<const N: usize>(header: [&str; N]) -> Table {
    let width = terminal_size().map_or(DEFAULT_WIDTH, |(Width(width), _)| width);
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_header(header);
    table
}
