/**
 * A double as Anki writes it: the shortest digits that read back the same, always with `.0` or an exponent, so that
 * it stays a fraction. What JSON cannot say (NaN, infinities) becomes `null`.
 */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  return layOut(value, value.toExponential(), { exponentMin: -5, exponentMax: 15 });
}

/** The same for single precision: the shortest digits that read back to the same 32-bit float (`0.9`, not 0.8999999…). */
export function floatText(value: number): string {
  if (!Number.isFinite(Math.fround(value))) return 'null';
  return layOut(value, shortestFloat(Math.fround(value)).toExponential(), { exponentMin: -6, exponentMax: 12 });
}

/** Nine digits always suffice to name a 32-bit float. */
const floatDigitsMax = 9;

function shortestFloat(single: number): number {
  for (let digits = 1; digits < floatDigitsMax; digits++) {
    const candidate = roundedHalfEven(single, digits);
    if (Math.fround(candidate) === single) return candidate;
  }
  return roundedHalfEven(single, floatDigitsMax);
}

/** `toPrecision` takes the larger of two equally near numbers; Anki takes the one with an even last digit. */
function roundedHalfEven(single: number, digits: number): number {
  const longer = single.toExponential(digits);
  const [, head = '', last = '', exponent = ''] = /^(.*)(\d)(e.*)$/.exec(longer) ?? [];
  const isTie = last === '5' && Number(longer) === single;
  return isTie && /[02468]\.?$/.test(head) ? Number(head + exponent) : Number(single.toPrecision(digits));
}

/** `exponential` is `d.ddde±x`; between the bounds, both inclusive, the exponent is spelled out with zeros. */
function layOut(value: number, exponential: string, bounds: { exponentMin: number; exponentMax: number }): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '', exponentText] = exponential.replace(/^-/, '').split('e');
  const exponent = Number(exponentText);
  const digits = mantissa.replace('.', '');
  if (exponent < bounds.exponentMin || exponent > bounds.exponentMax) return `${sign}${mantissa}e${exponent}`;
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}
