document.querySelectorAll("button.copy").forEach(function (button) {
  button.hidden = false;
  button.addEventListener("click", function () {
    var table = document.getElementById(button.dataset.table);
    var text = Array.from(table.rows, function (row) {
      return Array.from(row.cells, function (cell) { return cell.innerText.trim(); }).join("\t");
    }).join("\n");
    navigator.clipboard.writeText(text).then(function () { button.textContent = "copied"; });
  });
});
