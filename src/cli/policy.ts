import { recipes } from '../explain/index.ts'
import { exit, print, renderTable, say } from './output.ts'

/** `plumb policy recipe [NAME]`: a policy to apply, or the list of them. */
export function runRecipe(name: string | undefined): void {
  if (name === undefined) {
    print(renderTable(recipes.map((one) => [one.name, one.says])))
    return
  }
  const found = recipes.find((one) => one.name === name)
  if (found === undefined) {
    say(`plumb policy recipe: there is no "${name}"; there are ${recipes.map((one) => one.name).join(', ')}`)
    process.exitCode = exit.usage
    return
  }
  print(`# ${found.says}\n${found.yaml}`)
}
