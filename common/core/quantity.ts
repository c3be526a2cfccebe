/** What was used, and what of it costs nothing more. */
export function usedText(line: { quantity: number; included: number; per: number; unit: string }): string {
  return `${quantityText(line.quantity, line)}, ${quantityText(line.included, line)} included`;
}

/** A quantity in the units that people count it in, to three decimals: `12.5 h`. */
export function quantityText(quantity: number, { per, unit }: { per: number; unit: string }): string {
  const thousandths = (BigInt(quantity) * 2000n + BigInt(per)) / (2n * BigInt(per));
  const fraction = String(thousandths % 1000n)
    .padStart(3, '0')
    .replace(/0+$/, '');
  return `${thousandths / 1000n}${fraction === '' ? '' : `.${fraction}`} ${unit}`;
}
