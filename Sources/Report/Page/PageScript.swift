/// Sorting and filtering, for comfort only: without it every table is complete and in order.
enum PageScript {
  static let code: HTML = #"""

    "use strict";
    for (const table of document.querySelectorAll("table")) {
      const body = table.tBodies[0], heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
      if (body.rows.length < 3) continue;
      const key = (row, i) => {
        const cell = row.cells[i], v = cell.dataset.v;
        if (v === undefined) return cell.textContent.toLowerCase();
        return v === "" ? NaN : v === "inf" ? Infinity : v === "-inf" ? -Infinity : Number(v);
      };
      const compare = (a, b) => {
        if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
        if (typeof a === "string") return a < b ? -1 : a > b ? 1 : 0;
        if (a !== a || b !== b) return a !== a ? (b !== b ? 0 : 1) : -1;
        return a < b ? -1 : a > b ? 1 : 0;
      };
      heads.forEach((head, i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        head.append(button);
        head.setAttribute("aria-sort", "none");
        button.addEventListener("click", () => {
          const up = head.getAttribute("aria-sort") !== "ascending";
          for (const other of heads) other.setAttribute("aria-sort", "none");
          head.setAttribute("aria-sort", up ? "ascending" : "descending");
          const rows = [...body.rows].map((row, n) => [key(row, i), n, row]);
          rows.sort((a, b) => (up ? 1 : -1) * compare(a[0], b[0]) || a[1] - b[1]);
          body.append(...rows.map(entry => entry[2]));
        });
      });
    }
    for (const tools of document.querySelectorAll(".tools")) {
      const rows = [...document.getElementById(tools.dataset.table).tBodies[0].rows];
      const input = tools.querySelector("input"), status = tools.querySelector("span");
      tools.hidden = false;
      input.addEventListener("input", () => {
        const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        for (const row of rows) {
          const text = row.textContent.toLowerCase();
          row.hidden = !words.every(word => text.includes(word));
          if (!row.hidden) shown += 1;
        }
        status.textContent = words.length ? shown + " of " + rows.length + " shown" : "";
      });
    }

    """#
}
