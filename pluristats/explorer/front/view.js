// Which rows a filter keeps, and in which order.

const width = (v) => (v[LOW] === null || v[HIGH] === null ? null : v[HIGH] - v[LOW]);
const KEYS = {
  term: (r) => r.label.toLowerCase(), group: (r) => r.group.toLowerCase(), estimate: (r) => r.v[EST],
  size: (r) => (r.v[EST] === null ? null : Math.abs(r.v[EST])), std_error: (r) => r.v[SE], width: (r) => width(r.v),
  p_value: (r) => r.v[P], model: (r) => r.i,
};

function kept(r, filter) {
  const v = r.v;
  if (filter.groups && !filter.groups.includes(r.group)) return false;
  if (filter.min_size > 0 && !(v[EST] !== null && Math.abs(v[EST]) >= filter.min_size)) return false;
  if (filter.excludes_zero && !(v[LOW] !== null && (v[LOW] > 0 || v[HIGH] < 0))) return false;
  if (filter.max_width !== null && !(width(v) !== null && width(v) <= filter.max_width)) return false;
  const needle = filter.search.trim().toLowerCase();
  return !needle || r.text.includes(needle);
}

function ordered(rows, filter) {
  const key = KEYS[filter.sort];
  const sign = filter.descending ? -1 : 1;
  return rows.filter((r) => kept(r, filter)).sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null) || a.i - b.i;
    return sign * ((x > y) - (x < y)) || a.i - b.i;
  });
}
