/** A user of so many entries has weights of 1; who has met more tells less with each. */
const usualEntries = 50;
const activityPower = 0.25;
const ratingTilt = 0.1;
const weightLeast = 0.25;

/**
 * What each rating tells of a taste: that a title was met tells most of it; a good rating tells a little more than a bad one, and one of a
 * user who has met everything a little less than one of a user who has met little.
 *
 * @param ratingOf NaN where somebody has met a title and said nothing
 */
export function tasteWeights(
  userOf: ArrayLike<number>,
  ratingOf: ArrayLike<number>,
  users: number,
): Float32Array {
  const entriesOf = new Uint32Array(users);
  let rated = 0;
  let sum = 0;
  let squares = 0;
  for (let at = 0; at < userOf.length; at++) {
    entriesOf[userOf[at]!]!++;
    const rating = ratingOf[at]!;
    if (Number.isNaN(rating)) continue;
    rated++;
    sum += rating;
    squares += rating * rating;
  }
  const mean = rated === 0 ? 0 : sum / rated;
  const deviation = Math.sqrt(Math.max(0, squares / Math.max(1, rated) - mean * mean));
  return Float32Array.from({ length: userOf.length }, (_, at) => {
    const rating = ratingOf[at]!;
    const liked = Number.isNaN(rating) || deviation === 0 ? 0 : (rating - mean) / deviation;
    const activity = (entriesOf[userOf[at]!]! / usualEntries) ** -activityPower;
    return activity * Math.max(weightLeast, 1 + ratingTilt * liked);
  });
}
